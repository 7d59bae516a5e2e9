import errno
import hashlib
import io
import json
import os
import re
import runpy
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from tensorflow import keras

from siamese_tf.config.catalog import HEADS, TOWERS
from siamese_tf.errors import ModelFileError
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.siamese_model import SiameseModel

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
FIXTURES = Path(__file__).parent / "fixtures"
SIZE = (8, 8, 1)


def images(count: int, seed: int) -> np.ndarray:
    squares = np.random.default_rng(seed).integers(0, 256, (count, 2, 2, 1), dtype=np.uint8)
    return squares.repeat(4, axis=1).repeat(4, axis=2)


def scores(model: keras.Model) -> np.ndarray:
    return model.score(images(20, seed=1), images(20, seed=2))


def own_tower(width: int = 3) -> keras.Model:
    """A small variant of `small_cnn`, whose moving statistics also affect the score."""
    layers = [keras.layers.Conv2D(width, 3, use_bias=False), keras.layers.BatchNormalization(), keras.layers.ReLU()]
    return keras.Sequential([keras.Input(SIZE), *layers, keras.layers.Flatten(), keras.layers.Dense(4)])


def test_a_model_that_would_not_be_read_is_not_written(tmp_path):
    model = SiameseModel(SIZE, own_tower())
    save_model(model, tmp_path / "a.keras")
    before = (tmp_path / "a.keras").read_bytes()
    model.head.scale.assign(-1.0)
    for name in ("a.keras", "b.keras"):
        with pytest.raises(ModelFileError, match="weight head.scale must be a number above 0; got -1"):
            save_model(model, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.keras"]
    assert (tmp_path / "a.keras").read_bytes() == before


# There and back

BUILT = {
    "small_cnn cosine": (SIZE, "small_cnn", 6, "cosine"),
    "small_cnn_v2 euclidean": (SIZE, "small_cnn_v2", 6, "euclidean"),
    "reference euclidean colour": ((8, 9, 3), "reference", 4, "euclidean"),
    "reference concat": (SIZE, "reference", 4, "concat"),
    "reference weighted_l1": (SIZE, "reference", 4, "weighted_l1"),
    "tnn euclidean": ((18, 19, 1), "tnn", 4, "euclidean"),
    "resnet euclidean": (SIZE, "resnet", 4, "euclidean"),
    "hog cosine": ((12, 10, 1), "hog", 4, "cosine"),
    "koch cosine": ((65, 66, 1), "koch", 4, "cosine"),
    "omniglot cosine": ((16, 17, 1), "omniglot", 4, "cosine"),
    "inception_resnet_v1 cosine": ((75, 75, 3), "inception_resnet_v1", 4, "cosine"),
    "mobilenet_v2 euclidean": ((32, 33, 3), "mobilenet_v2", 4, "euclidean"),
    "resnet50 cosine": ((33, 32, 3), "resnet50", 4, "cosine"),
    "efficientnet_lite0 cosine": ((33, 32, 3), "efficientnet_lite0", 4, "cosine"),
    "dlib_face euclidean": ((103, 104, 3), "dlib_face", 4, "euclidean"),
}
LARGE = ("inception_resnet_v1", "mobilenet_v2", "resnet50", "efficientnet_lite0", "dlib_face")  # take seconds to build


def test_every_tower_and_head_is_among_those_that_come_back():
    _, towers, _, heads = zip(*BUILT.values(), strict=True)
    assert (set(towers), set(heads)) == (set(TOWERS), set(HEADS))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(arguments, id=name, marks=pytest.mark.slow if arguments[1] in LARGE else ())
        for name, arguments in BUILT.items()
    ],
)
def test_a_model_comes_back_as_it_was(arguments, drawn, tmp_path):
    model = drawn(SiameseModel(*arguments))
    model.threshold, model.record = 0.4375, {"accuracy": {"test": 0.9}, "note": "é", "seed": None}
    save_model(model, tmp_path / "a.keras")
    loaded = load_model(str(tmp_path / "a.keras"))
    assert loaded.get_config() == model.get_config()
    assert (loaded.threshold, loaded.record, loaded.input_size) == (0.4375, model.record, model.input_size)
    stack = np.random.default_rng(1).integers(0, 256, (9, *model.input_size), dtype=np.uint8)
    np.testing.assert_array_equal(loaded.score(stack[:4], stack[4:8]), model.score(stack[:4], stack[4:8]))
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_loaded_model_knows_the_hash_of_its_file(drawn, tmp_path):
    model = drawn(SiameseModel(SIZE, "reference", 4))
    save_model(model, tmp_path / "a.keras")
    assert model.file_sha256 is None
    digest = hashlib.sha256((tmp_path / "a.keras").read_bytes()).hexdigest()
    assert load_model(tmp_path / "a.keras").file_sha256 == digest


@pytest.mark.parametrize("views", ["one", "mirror", "turn", "shift"])
def test_what_a_model_looks_at_comes_back(drawn, tmp_path, views):
    model = drawn(SiameseModel(SIZE, "reference", 4, views=views))
    save_model(model, tmp_path / "a.keras")
    for load in (load_model, keras.models.load_model):
        loaded = load(tmp_path / "a.keras")
        assert loaded.views == views
        np.testing.assert_allclose(scores(loaded), scores(model), atol=1e-6)


@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
def test_how_a_model_takes_image_files_comes_back(drawn, tmp_path, resize):
    model = drawn(SiameseModel(SIZE, "reference", 4, resize=resize))
    save_model(model, tmp_path / "a.keras")
    Image.fromarray(np.hstack(images(2, seed=1))[..., 0]).save(tmp_path / "wide.png")
    for load in (load_model, keras.models.load_model):
        loaded = load(tmp_path / "a.keras")
        assert loaded.resize == resize
        np.testing.assert_allclose(loaded.embed(tmp_path / "wide.png"), model.embed(tmp_path / "wide.png"), atol=1e-6)


@pytest.mark.parametrize("missing", ['"resize": "pad"', '"views": "one"', '"views": "one", "resize": "pad"'])
def test_a_file_from_before_there_was_a_choice_looks_once_and_pads(good, tmp_path, missing):
    assert with_config(good, f", {missing}", "") != good
    (tmp_path / "first.keras").write_bytes(with_config(good, f", {missing}", ""))
    (tmp_path / "now.keras").write_bytes(good)
    first, now = load_model(tmp_path / "first.keras"), load_model(tmp_path / "now.keras")
    assert (first.views, first.resize, first.invert, first.center) == ("one", "pad", False, None)
    assert first.get_config() == now.get_config()
    np.testing.assert_array_equal(first.embed(images(20, seed=1)), now.embed(images(20, seed=1)))


def test_a_file_holds_three_members_and_plain_arrays_of_our_names(each, tmp_path):
    save_model(each, tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert sorted(archive.namelist()) == [CONFIG, METADATA, WEIGHTS]
        config = json.loads(archive.read(CONFIG))
        assert set(json.loads(archive.read(METADATA))) == {"keras_version", "date_saved"}
        with h5py.File(io.BytesIO(archive.read(WEIGHTS))) as file:
            assert {"head.scale", "head.bias", "tower.00.kernel"} <= set(file["vars"])
            assert all(array.dtype == np.float32 for array in file["vars"].values())
    assert config["config"] == each.get_config()
    assert (config["class_name"], config["registered_name"]) == ("SiameseModel", "siamese_tf>SiameseModel")


@pytest.mark.parametrize("save", [save_model, lambda model, path: model.save(path)], ids=["ours", "keras"])
@pytest.mark.parametrize("load", [load_model, keras.models.load_model], ids=["ours", "keras"])
def test_keras_itself_reads_and_writes_the_same_file(small, tmp_path, save, load):
    save(small, tmp_path / "a.keras")
    np.testing.assert_allclose(scores(load(tmp_path / "a.keras")), scores(small), atol=1e-6)


@pytest.mark.parametrize("name", ["a.h5", "a", "a.keras.zip"])
def test_another_ending_is_refused(small, tmp_path, name):
    with pytest.raises(ModelFileError, match=f"must be named .*got .*{name}"):
        save_model(small, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_write_that_fails_leaves_the_old_file(small, each, tmp_path, monkeypatch, function):
    path = tmp_path / "a.keras"
    save_model(small, path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="No space left"):
        save_model(each, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# A tower of one's own


def test_a_tower_of_ones_own_comes_back_into_one_like_it(drawn, tmp_path):
    model = drawn(SiameseModel(SIZE, own_tower()))
    save_model(model, tmp_path / "a.keras")
    tower = own_tower()
    loaded = load_model(tmp_path / "a.keras", tower=tower)
    assert loaded.tower is tower
    np.testing.assert_array_equal(scores(loaded), scores(model))


@pytest.mark.parametrize(
    ("tower", "finding"),
    [
        (None, "for a custom tower, which the file does not contain. Use load_model(path, tower=...)"),
        (own_tower(width=5), "must have shape (3, 3, 1, 5); got (3, 3, 1, 3)"),
        (keras.Sequential([keras.Input(SIZE), keras.layers.Flatten(), keras.layers.Dense(4)]), "do not match this"),
        (keras.Sequential([keras.Input((9, 8, 1)), keras.layers.Flatten()]), "must map (n, 8, 8, 1) images"),
        (keras.Sequential([keras.layers.Flatten()]), "must be a keras.Model with known shapes"),
    ],
    ids=["none", "wider", "other layers", "other images", "no shapes"],
)
def test_another_tower_or_none_is_refused(tmp_path, tower, finding):
    save_model(SiameseModel(SIZE, own_tower()), tmp_path / "a.keras")
    with pytest.raises(ModelFileError, match=re.escape(finding)):
        load_model(tmp_path / "a.keras", tower=tower)


def test_a_tower_for_a_file_that_names_its_own_is_refused(small, tmp_path):
    save_model(small, tmp_path / "a.keras")
    with pytest.raises(ModelFileError, match="tower must be None .* file has 'small_cnn'. Omit"):
        load_model(tmp_path / "a.keras", tower=own_tower())


# From the other stack


@pytest.mark.parametrize("stack", ["keras2", "keras3"])
@pytest.mark.parametrize("name", ["cosine", "euclidean", "concat", "own"])
def test_a_file_of_either_stack_gives_the_scores_it_gave_there(stack, name):
    """The files and scores were written by `fixtures/make.py` under each Keras version."""
    made = runpy.run_path(str(FIXTURES / "make.py"))
    expected = json.loads((FIXTURES / f"{stack}.json").read_text(encoding="utf-8"))["scores"][name]
    assert np.ptp(expected) > 0.3
    model = load_model(FIXTURES / f"{stack}-{name}.keras", tower=made["own_tower"]() if name == "own" else None)
    np.testing.assert_allclose(model.score(*made["image_pairs"]()), expected, atol=1e-5)


# Damaged and hostile files: each is refused with a message that names it and what is wrong, and runs nothing.

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    """The bytes of a valid model file."""
    path = tmp_path_factory.mktemp("good") / "a.keras"
    save_model(SiameseModel(SIZE, "reference", 4, record={"seed": 1}), path)
    load_model(path)
    return path.read_bytes()


@pytest.fixture
def refused(tmp_path) -> Callable[[bytes, str], None]:
    """A function (content, finding) that asserts that a file with the content is rejected for the reason."""

    def check(content: bytes, finding: str) -> None:
        path = tmp_path / "hostile.keras"
        path.write_bytes(content)
        with pytest.raises(ModelFileError) as caught:
            load_model(path)
        message = str(caught.value)
        assert message.startswith(f"{path} is not a model this version can load: ")
        assert re.search(finding, message), message
        assert len(message) < 1000

    return check


def unpacked(archive: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(*members: tuple[str, bytes], deflated: str = "") -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile: duplicate name
        for name, content in members:
            opened.writestr(name, content, zipfile.ZIP_DEFLATED if name == deflated else zipfile.ZIP_STORED)
    return archive.getvalue()


def with_config(archive: bytes, old: str | None, new: str) -> bytes:
    """Returns the archive with a part of its config text, or all of it, replaced."""
    members = unpacked(archive)
    text = members[CONFIG].decode()
    assert old is None or text.count(old) == 1
    return packed(*{**members, CONFIG: (text.replace(old, new) if old else new).encode()}.items())


class Payload:
    """An object whose unpickling runs code: it creates a folder."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_what_is_not_there_is_refused(tmp_path):
    for name, finding in (("nothing.keras", "No such file"), ("", "Is a directory")):
        with pytest.raises(ModelFileError, match=f"cannot read the model {tmp_path / name}: {finding}.*Check the path"):
            load_model(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"", "not a zip"),
        (b"PK", "not a zip"),
        (b"\x89HDF\r\n\x1a\n" * 99, "not a zip"),
        (b"PK\x03\x04" * 99, "damaged"),
    ],
)
def test_what_is_no_zip_is_refused(refused, content, finding):
    refused(content, finding)


@pytest.mark.parametrize("part", [0.001, 0.02, 0.1, 0.5, 0.9, 0.99, 0.999])
def test_a_truncated_file_is_refused(refused, good, part):
    refused(good[: int(part * len(good))], "not a zip archive|the archive is damaged")


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_flipped_byte_is_refused(refused, good, name):
    at = good.index(unpacked(good)[name]) + 150
    refused(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], f"damaged: Bad CRC-32 for file '{name}'")


@pytest.mark.parametrize("name", ["extra.txt", "../evil.py", "/etc/evil", "assets/a", "CONFIG.JSON"])
def test_one_more_member_is_refused(refused, good, tmp_path, name):
    refused(packed(*unpacked(good).items(), (name, b"")), f"must contain exactly .*; got .*{re.escape(name)}")
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.keras"]


def test_a_thousand_members_are_refused_in_a_few_words(refused, good):
    more = ((f"more-{number}", b"") for number in range(1000))
    refused(packed(*unpacked(good).items(), *more), "lists 1,003 members in .* at most 16 are read")


@pytest.mark.parametrize("name", [CONFIG, METADATA, WEIGHTS])
def test_a_member_twice_or_not_at_all_is_refused(refused, good, name):
    members = unpacked(good)
    refused(packed(*members.items(), (name, members[name])), "does not list each member once")
    refused(packed(*(member for member in members.items() if member[0] != name)), "must contain exactly")


@pytest.mark.parametrize("instead", [True, False])
def test_a_pickle_is_not_read(refused, good, tmp_path, instead):
    """Keras 2.15 executes the pickle in this member, even in safe mode."""
    marker, npz = tmp_path / "the-pickle-ran", io.BytesIO()
    np.savez(npz, vars=np.array([Payload(marker)], object))
    np.load(io.BytesIO(npz.getvalue()), allow_pickle=True)["vars"]
    marker.rmdir()  # it was made: the payload works
    members = unpacked(good)
    if instead:
        del members[WEIGHTS]
    refused(packed(*members.items(), ("model.weights.npz", npz.getvalue())), "got .*'model.weights.npz'")
    assert not marker.exists()


def test_a_zip_bomb_is_refused(refused, good):
    members = unpacked(good)
    bomb = packed(*{**members, WEIGHTS: bytes(2**26)}.items(), deflated=WEIGHTS)
    assert len(bomb) < 2**17
    refused(bomb, "must be uncompressed; it is compressed")
    entry = bomb.rindex(WEIGHTS.encode()) - 46  # directory entry, changed so that both sizes are equal
    refused(bomb[: entry + 24] + bomb[entry + 20 : entry + 24] + bomb[entry + 28 :], "differs from the directory")


@pytest.mark.parametrize("size", [2**31, 2**29])
def test_a_size_that_lies_is_refused(refused, good, size):
    # In a directory entry, the sizes are at offsets 20 and 24, the name at 46.
    entry = good.rindex(WEIGHTS.encode()) - 46
    assert good[entry : entry + 4] == b"PK\x01\x02"
    local = good.index(WEIGHTS.encode()) - 30
    sizes = struct.pack("<II", size, size)
    lie = good[: entry + 20] + sizes + good[entry + 28 :]
    refused(lie, "a local header differs from the directory")
    refused(lie[: local + 18] + sizes + lie[local + 26 :], "members do not end where its directory starts")


def test_a_model_of_other_making_is_refused(refused, tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    refused((tmp_path / "other.keras").read_bytes(), "must describe a SiameseModel; got 'Sequential'")


def test_a_lambda_is_not_run(refused, good, tmp_path):
    marker = str(tmp_path / "the-lambda-ran")
    run = keras.layers.Lambda(lambda x: (__import__("os").makedirs(marker, exist_ok=True), x)[1])
    keras.Sequential([keras.Input(SIZE), run]).save(tmp_path / "lambda.keras")
    os.rmdir(marker)  # it was made: the payload works
    content = (tmp_path / "lambda.keras").read_bytes()
    assert b"Lambda" in content
    refused(content, "must describe a SiameseModel")
    config = json.loads(unpacked(good)[CONFIG])
    config["config"]["tower"] = json.loads(unpacked(content)[CONFIG])
    refused(packed(*{**unpacked(good), CONFIG: json.dumps(config).encode()}.items()), "tower in the config cannot be")
    assert not os.path.exists(marker)


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        # None replaces the entire config.
        (None, "", "config.json is not JSON"),
        (None, "{", "config.json is not JSON"),
        (None, "\x00" * 50, "config.json is not JSON"),
        (None, "[]", "must describe a SiameseModel; got 'list'"),
        (None, "null", "must describe a SiameseModel; got 'NoneType'"),
        (None, "NaN", "config.json is not JSON: NaN is not a number"),
        (None, "{}", "must describe a SiameseModel; got None"),
        ("siamese_tf>SiameseModel", "builtins>eval", "must describe a SiameseModel"),
        ('"registered_name"', '"name"', "must describe a SiameseModel"),
        ('"config": {', '"config": {}, "config": {', "config.json is not JSON: an object has a duplicate key"),
        ('"config": {', '"other": {}, "config": {', "config.json must have only .*; got .'other'"),
        (
            '"config": {',
            '"config": [], "build_config": {',
            r"the config must have the keys \['center', 'embedding_dim', .*\]; got \[\]",
        ),
        ('"head": "euclidean"', '"tail": "euclidean"', "the config must have"),
        ('"head": "euclidean"', '"head": "euclidean", "run": "rm"', "the config must have"),
        (
            '"head": "euclidean"',
            '"head": "manhattan"',
            "head must be one of cosine, euclidean, concat, weighted_l1; got 'manhattan'",
        ),
        ('"head": "euclidean"', '"head": ["euclidean"]', "head in the config cannot be"),
        (
            '"tower": "reference"',
            '"tower": "vgg"',
            "tower must be one of small_cnn, small_cnn_v2, resnet, .*; got 'vgg'",
        ),
        ('"tower": "reference"', f'"tower": "{"x" * 9_000}"', "tower must be one of small_cnn, .*; got 'xxx"),
        ('"head": "euclidean"', f'"head": "{"x" * 9_000}"', "head must be one of cosine, .*; got 'xxx"),
        ('"tower": "reference"', '"tower": "small_cnn"', "small_cnn must have 168,420 weights for images .* 1,508"),
        ('"tower": "reference"', '"tower": "custom"', "a custom tower, which the file does not contain"),
        ('"tower": "reference"', '"tower": {"class_name": "Lambda"}', "tower in the config cannot be .*Lambda"),
        ('"head": "euclidean"', '"head": "concat"', "do not match .* missing .'head.00.bias'"),
        ('"views": "one"', '"views": "all"', "views in the config cannot be 'all'"),
        ('"views": "one"', '"views": ["one"]', "views in the config cannot be"),
        ('"views": "one"', '"views": "auto"', "views in the config cannot be 'auto'"),
        ('"center": null', '"center": "ink"', "center in the config cannot be 'ink'"),
        ('"center": null', '"center": ["strokes"]', r"center in the config cannot be \['strokes'\]"),
        ('"invert": false', '"invert": 1', "invert in the config cannot be 1"),
        ('"resize": "pad"', '"resize": "fit"', "resize in the config cannot be 'fit'"),
        ('"resize": "pad"', '"resize": null', "resize in the config cannot be None"),
        ('"resize": "pad"', '"resize": ["pad"]', r"resize in the config cannot be \['pad'\]"),
        ('"resize": "pad"', '"resize": {"pad": 1}', "resize in the config cannot be"),
        ("[8, 8, 1]", "[12, 8, 1]", "must have 1,764 weights .* has 1,508"),
        ("[8, 8, 1]", "[8, 8, 3]", "must have 1,652 weights .* has 1,508"),
        ("[8, 8, 1]", "[5, 5, 1]", "must have 1,252 weights .* has 1,508"),
        ("[8, 8, 1]", "[8, 8]", r"input_size in the config cannot be \[8, 8\]"),
        ("[8, 8, 1]", "[8, 8, 0]", "input_size in the config cannot be"),
        ("[8, 8, 1]", "[8, 8, true]", "input_size in the config cannot be"),
        ("[8, 8, 1]", "[8.0, 8, 1]", "input_size in the config cannot be"),
        ("[8, 8, 1]", "[-8, 8, 1]", "input_size in the config cannot be"),
        ("[8, 8, 1]", '"881"', "input_size in the config cannot be"),
        ("[8, 8, 1]", "[2049, 8, 1]", "input_size in the config cannot be"),
        ("[8, 8, 1]", "[2048, 2048, 2048]", "must have 66,995,612 weights .* has 1,508"),
        ('"embedding_dim": 4', '"embedding_dim": 4096', "must have 267,488 weights .* has 1,508"),
        ('"embedding_dim": 4', '"embedding_dim": 0', "embedding_dim in the config cannot be 0"),
        ('"embedding_dim": 4', '"embedding_dim": "4"', "embedding_dim in the config cannot be '4'"),
        ('"embedding_dim": 4', '"embedding_dim": 1e3', "embedding_dim in the config cannot be 1000.0"),
        ('"embedding_dim": 4', f'"embedding_dim": 1{"0" * 4000}', "embedding_dim in the config cannot be 1000"),
        ('"embedding_dim": 4', f'"embedding_dim": 1{"0" * 5000}', "config.json is not JSON"),
        ('"threshold": 0.5', '"threshold": NaN', "config.json is not JSON: NaN is not a number"),
        ('"threshold": 0.5', '"threshold": 2.0', "threshold in the config cannot be 2.0"),
        ('"threshold": 0.5', '"threshold": -0.1', "threshold in the config cannot be -0.1"),
        ('"threshold": 0.5', '"threshold": true', "threshold in the config cannot be True"),
        ('"threshold": 0.5', '"threshold": "0.5"', "threshold in the config cannot be '0.5'"),
        ('"threshold": 0.5', '"threshold": null', "threshold in the config cannot be None"),
        ('{"seed": 1}', "[]", r"record in the config cannot be \[\]"),
        ('{"seed": 1}', "null", "record in the config cannot be None"),
        ('{"seed": 1}', '{"seed": NaN}', "config.json is not JSON: NaN is not a number"),
        ('{"seed": 1}', '{"seed": 1e999}', "config.json is not JSON: a number is too large"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_config_that_ours_would_not_write_is_refused(refused, good, old, new, finding):
    refused(with_config(good, old, new), finding)


@pytest.mark.parametrize("depth", [900, 2000, 5000, 20_000, 100_000])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, "{}"),
        ('"head": "euclidean"', '"tail": {}'),
        ('"euclidean"', "{}"),
        ('{"seed": 1}', '{{"seed": {}}}'),
    ],
    ids=["all of it", "an unknown key", "head", "record"],
)
def test_a_config_nested_without_end_is_refused(refused, good, old, new, depth):
    nested = "[" * depth + '{"a": 1e999}' + "]" * depth
    refused(with_config(good, old, new.format(nested)), "nested too deeply|got 'list'|must have|head in|too large")


BIAS = "tower.02.bias"
Change = Callable[[h5py.Group, Path], None]


def replaced(**dataset) -> Change:
    """Replaces the last bias with another array."""

    def change(group: h5py.Group, folder: Path) -> None:
        del group[BIAS]
        group.create_dataset(BIAS, **dataset)

    return change


def linked(link: Callable[[Path], object], name: str = f"vars/{BIAS}") -> Change:
    """Replaces the last bias, or another name, with a link; a valid `target.h5` is next to the model file."""

    def change(group: h5py.Group, folder: Path) -> None:
        file = group.file
        with h5py.File(folder / "target.h5", "w") as target:
            file.copy("vars", target)
        del file[name]
        file[name] = link(folder)

    return change


def external_storage(group: h5py.Group, folder: Path) -> None:
    (folder / "secret").write_bytes(bytes(16))
    replaced(shape=(4,), dtype="f4", external=[(str(folder / "secret"), 0, 16)])(group, folder)


def virtual(group: h5py.Group, folder: Path) -> None:
    with h5py.File(folder / "target.h5", "w") as target:
        target["bias"] = np.zeros(4, np.float32)
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(folder / "target.h5", "bias", (4,))
    del group[BIAS]
    group.create_virtual_dataset(BIAS, layout)


def crowd(group: h5py.Group, folder: Path) -> None:
    """Adds a thousand names for one array, which is small, but not a thousand times."""
    group["big"] = np.zeros(2000, np.float32)
    for number in range(1000):
        group[f"big.{number}"] = group["big"]


def subgroup(group: h5py.Group, folder: Path) -> None:
    del group[BIAS]
    group.create_group(BIAS)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda group, folder: group.pop(BIAS) and None, "must have 1,508 weights .*; the file has 1,504"),
        (lambda group, folder: group.update({"extra": np.zeros(1, np.float32)}), r"unknown \['extra'\]"),
        (lambda group, folder: group.update({"x" * 9_000: np.zeros(1, np.float32)}), "missing none, unknown ..xxx"),
        (lambda group, folder: group.create_group("x" * 9_000), "is not a plain dataset"),
        (lambda group, folder: group.file.create_group("layers"), "must contain the group 'vars' only"),
        (lambda group, folder: group.file.move("vars", "variables"), "must contain the group 'vars' only"),
        (replaced(data=np.zeros(5, np.float32)), "must have 1,508 weights .*; the file has 1,509"),
        (replaced(data=np.zeros((4, 1), np.float32)), r"must have shape \(4,\); got \(4, 1\)"),
        (replaced(data=np.float32([0, np.nan, 0, 0])), "must hold finite numbers"),
        (replaced(data=np.float32([0, np.inf, 0, 0])), "must hold finite numbers"),
        (replaced(data=np.zeros(4, np.float64)), "not a plain float32 array"),
        (replaced(data=np.zeros(4, np.int32)), "not a plain float32 array"),
        (replaced(data=np.zeros(4, ">f4")), "not a plain float32 array"),
        (replaced(data=np.zeros(4, bool)), "not a plain float32 array"),
        (replaced(data=np.zeros(4, [("a", "f4")])), "not a plain float32 array"),
        (replaced(data=[b"a", b"b", b"c", b"d"]), "not a plain float32 array"),
        (replaced(data=["a"] * 4, dtype=h5py.string_dtype()), "not a plain float32 array"),
        (replaced(shape=(4,), dtype=h5py.vlen_dtype("f4")), "not a plain float32 array"),
        (replaced(data=h5py.Empty("f4")), "not a plain float32 array"),
        (replaced(data=np.zeros(4, np.float32), chunks=(4,), compression="gzip"), "not a plain float32 array"),
        (replaced(data=np.zeros(4, np.float32), chunks=(4,)), "not a plain float32 array"),
        (replaced(shape=(2**40,), dtype="f4", chunks=(2**20,), compression="gzip"), "not a plain float32 array"),
        (replaced(shape=(2**40,), dtype="f4"), "not a plain float32 array"),  # 4 TiB without stored data
        (replaced(shape=(4,), dtype="f4"), "not a plain float32 array"),  # without stored data
        (external_storage, "not a plain float32 array"),
        (virtual, "not a plain float32 array"),
        (crowd, "declares more values than it contains"),
        (subgroup, f"'{BIAS}' in the weights is not a plain dataset"),
        (linked(lambda folder: h5py.SoftLink("/vars/tower.01.bias")), "is not a plain dataset"),
        (linked(lambda folder: h5py.SoftLink("/nowhere")), "is not a plain dataset"),
        (linked(lambda folder: h5py.ExternalLink(folder / "target.h5", f"/vars/{BIAS}")), "is not a plain dataset"),
        (linked(lambda folder: h5py.ExternalLink("/dev/zero", "/vars")), "is not a plain dataset"),
        (
            linked(lambda folder: h5py.ExternalLink(folder / "target.h5", "/vars"), "vars"),
            "'vars' in .* not a plain group",
        ),
    ],
)
def test_arrays_that_ours_would_not_write_are_refused(refused, good, tmp_path, change, finding):
    members = unpacked(good)
    weights = io.BytesIO(members[WEIGHTS])
    with h5py.File(weights, "r+") as file:
        change(file["vars"], tmp_path)
    refused(packed(*{**members, WEIGHTS: weights.getvalue()}.items()), finding)


@pytest.mark.parametrize("part", [0, 0.01, 0.3, 0.9])
def test_weights_that_are_no_whole_h5_file_are_refused(refused, good, part):
    members = unpacked(good)
    cut = members[WEIGHTS][: int(part * len(members[WEIGHTS]))]
    refused(packed(*{**members, WEIGHTS: cut}.items()), "the weights file is damaged")
    refused(packed(*{**members, WEIGHTS: b"junk" + members[WEIGHTS]}.items()), "the weights file is damaged")


def test_an_address_beyond_all_files_is_refused(refused, good):
    weights = unpacked(good)[WEIGHTS]
    lost = weights[:120] + b"\xff" * 8 + weights[128:]  # start of the list of names: h5py raises OverflowError
    refused(packed(*{**unpacked(good), WEIGHTS: lost}.items()), "the weights file is damaged")


def test_bytes_damaged_at_random_are_refused_or_do_no_harm(good, tmp_path):
    rng, path, outcomes = np.random.default_rng(1), tmp_path / "a.keras", set()
    weights = unpacked(good)[WEIGHTS]
    for _ in range(40):
        damaged = bytearray(weights)
        for at in rng.integers(0, 3000, 4):  # the headers are at the start
            damaged[at] = rng.integers(256)
        path.write_bytes(packed(*{**unpacked(good), WEIGHTS: bytes(damaged)}.items()))
        try:
            outcomes.add(type(load_model(path)))
        except ModelFileError as error:
            outcomes.add(type(error))
    assert outcomes == {SiameseModel, ModelFileError}
