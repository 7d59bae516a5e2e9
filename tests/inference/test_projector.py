"""The projector's folder; its config is parsed with TensorBoard's message."""

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from siamese_tf.errors import ConfigError
from siamese_tf.inference import projector as module
from siamese_tf.inference.projector import write_projector

NAMES = ["cat", "a\tcow\nor two", " "]


def drawn(count=5, shape=(4, 4, 1), numbers=3, seed=0):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(count, numbers)).astype(np.float32)
    return embeddings, np.arange(count) % 4, NAMES, rng.integers(1, 256, (count, *shape), np.uint8)


def config(folder):
    (entry,) = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig()).embeddings
    return entry


def test_the_config_names_the_files_beside_it(tmp_path):
    write_projector(tmp_path / "new" / "folder", *drawn())
    folder = tmp_path / "new" / "folder"
    entry = config(folder)
    assert list(entry.tensor_shape) == [5, 3]
    named = {"projector_config.pbtxt", entry.tensor_path, entry.metadata_path, entry.sprite.image_path}
    assert {path.name for path in folder.iterdir()} == named
    assert list(entry.sprite.single_image_dim) == [4, 4]


def test_the_tensors_are_the_embeddings(tmp_path):
    embeddings, *others = drawn(count=20, numbers=7)
    write_projector(tmp_path, embeddings * [1e-7, 1e7, 1, 1, 1, 1, 0], *others)
    read = np.loadtxt(tmp_path / "tensors.tsv", delimiter="\t")
    np.testing.assert_allclose(read, embeddings * [1e-7, 1e7, 1, 1, 1, 1, 0], rtol=1e-6)


def test_the_metadata_has_one_line_for_each_image_and_no_header(tmp_path):
    write_projector(tmp_path, *drawn())
    assert (tmp_path / "metadata.tsv").read_text() == "cat\na cow or two\n2\n3\ncat\n"


def test_an_unknown_class_is_not_the_last_one(tmp_path):
    embeddings, labels, names, images = drawn()
    write_projector(tmp_path, embeddings, labels - 1, [*names, "last"], images)
    assert (tmp_path / "metadata.tsv").read_text().splitlines()[0] == "-1"


@pytest.mark.parametrize(
    ("shape", "side", "inside"),
    [
        ((4, 4, 1), 4, (slice(0, 4), slice(0, 4))),
        ((2, 6, 3), 6, (slice(2, 4), slice(0, 6))),
        ((5, 2, 1), 5, (slice(0, 5), slice(1, 3))),
    ],
)
def test_the_sprite_is_square_and_holds_the_images_row_by_row(tmp_path, shape, side, inside):
    embeddings, labels, names, images = drawn(count=7, shape=shape)
    write_projector(tmp_path, embeddings, labels, names, images)
    sprite = np.array(Image.open(tmp_path / "sprite.png"))
    assert sprite.shape[:2] == (3 * side, 3 * side)
    assert list(config(tmp_path).sprite.single_image_dim) == [side, side]
    for number, image in enumerate(images):
        row, column = divmod(number, 3)
        cell = sprite[row * side : (row + 1) * side, column * side : (column + 1) * side]
        np.testing.assert_array_equal(cell[inside], image[..., 0] if shape[2] == 1 else image)
        assert np.count_nonzero(cell) == image.size  # black around it
    assert not sprite[2 * side :, side:].any()


def test_a_sprite_that_tensorboard_would_not_show_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_SPRITE_WIDTH", 12)
    write_projector(tmp_path / "fits", *drawn(count=9))
    with pytest.raises(ConfigError, match=r"got 16 for 10 images of 4x4\..* at most 9 images"):
        write_projector(tmp_path / "large", *drawn(count=10))
    assert not (tmp_path / "large").exists()


def test_what_stood_there_is_replaced(tmp_path):
    write_projector(tmp_path, *drawn(count=9))
    write_projector(tmp_path, *drawn(count=4))
    assert list(config(tmp_path).tensor_shape) == [4, 3]
    assert len((tmp_path / "metadata.tsv").read_text().splitlines()) == 4
