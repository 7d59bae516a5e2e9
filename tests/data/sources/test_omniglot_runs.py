import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.sources.omniglot_runs import FILE, load_omniglot_runs, parse_runs
from siamese_tf.errors import DatasetError, ImageError

FORMAT = ImageFormat((6, 6), "grey")


def png(value: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.full((6, 6), value, np.uint8)).save(content, "PNG")
    return content.getvalue()


def example() -> dict[str, bytes]:
    """Three runs of four classes: class c of run r is drawn in the gray 40 r + 8 c, its test image one lighter."""
    rng, members = np.random.default_rng(0), {}
    for run in range(3):
        order, lines = rng.permutation(4), []
        for item, one in enumerate(order):
            members[f"run0{run + 1}/training/class0{item + 1}.png"] = png(40 * run + 8 * item)
            members[f"run0{run + 1}/test/item0{item + 1}.png"] = png(40 * run + 8 * one + 1)
            lines.append(f"run0{run + 1}/test/item0{item + 1}.png run0{run + 1}/training/class0{one + 1}.png\n")
        members[f"run0{run + 1}/class_labels.txt"] = "".join(lines).encode()
    return members


def test_every_query_is_of_the_class_of_its_target():
    runs = parse_runs(example(), FORMAT)
    assert (runs.images.shape, runs.images.dtype) == ((24, 6, 6, 1), np.uint8)
    value = runs.images[:, 0, 0, 0].astype(int)
    np.testing.assert_array_equal(value[runs.support], np.arange(3)[:, None] * 40 + np.arange(4) * 8)
    right = np.take_along_axis(runs.support, runs.target, axis=1)
    np.testing.assert_array_equal(value[runs.query], value[right] + 1)
    np.testing.assert_array_equal(runs.labels[runs.query], runs.labels[right])
    np.testing.assert_array_equal(runs.labels[runs.support].ravel(), np.arange(12))
    assert [runs.class_names[label] for label in (0, 11)] == ["run01/class01", "run03/class04"]
    assert runs.run_names == ("run01", "run02", "run03")
    assert not np.array_equal(runs.target, np.tile(np.arange(4), (3, 1)))


def test_the_order_of_the_members_does_not_matter():
    members = example()
    runs, other = parse_runs(members, FORMAT), parse_runs(dict(reversed(members.items())), FORMAT)
    np.testing.assert_array_equal(runs.images[runs.query], other.images[other.query])
    np.testing.assert_array_equal(runs.target, other.target)


def test_images_are_prepared_by_the_image_format():
    runs = parse_runs(example(), ImageFormat((3, 4), "rgb", "stretch", invert=True))
    assert runs.images.shape == (24, 3, 4, 3)
    assert runs.images[runs.support[2, 3]].max() == 255 - 104


@pytest.mark.parametrize("name", ["run02/class_labels.txt", "run02/training/class03.png", "run02/test/item04.png"])
def test_a_run_that_lacks_a_member_is_refused(name):
    members = example()
    del members[name]
    with pytest.raises(DatasetError, match="run02 must name the class of each test image, and each class once"):
        parse_runs(members, FORMAT)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run02/notes.txt", b"", "members must be images and class_labels.txt of runs; got 'run02/notes.txt'"),
        ("../run02/test/item01.png", b"", "members must be"),
        ("run01/class_labels.txt", b"run01/test/item01.png\n", "run01/class_labels.txt must have two names on each"),
        ("run01/class_labels.txt", b"a b\na c\n", "the first of them once"),
        ("run01/class_labels.txt", b"\xff \xff\n", "run01 must name the class"),
        ("run04/class_labels.txt", b"", "run04 must name the class"),
    ],
)
def test_other_members_are_refused(name, content, message):
    with pytest.raises(DatasetError, match=message):
        parse_runs(example() | {name: content}, FORMAT)


def test_labels_of_another_class_or_run_are_refused():
    members = example()
    for old, new in ((b"class01", b"class02"), (b"run01/training", b"run02/training")):
        changed = {"run01/class_labels.txt": members["run01/class_labels.txt"].replace(old, new)}
        with pytest.raises(DatasetError, match="run01 must name the class"):
            parse_runs(members | changed, FORMAT)


def test_runs_of_different_sizes_and_no_runs_are_refused():
    members = {name: content for name, content in example().items() if name[:5] != "run03"}
    small = {"run03/training/class01.png": png(0), "run03/test/item01.png": png(1)}
    small["run03/class_labels.txt"] = b"run03/test/item01.png run03/training/class01.png"
    with pytest.raises(DatasetError, match="runs must have equally many classes; got 4, 4, 1"):
        parse_runs(members | small, FORMAT)
    with pytest.raises(DatasetError, match="there must be at least one run; got none"):
        parse_runs({}, FORMAT)


def test_a_damaged_image_is_refused():
    with pytest.raises(ImageError):
        parse_runs(example() | {"run01/test/item01.png": b"\x89PNG"}, FORMAT)


@pytest.mark.skipif(
    not (Path(os.environ.get("SIAMESE_TF_DATA", "none")) / "omniglot" / f"{FILE}.zip").exists(),
    reason=f"{FILE}.zip is not in $SIAMESE_TF_DATA/omniglot",
)
def test_the_published_runs():
    runs = load_omniglot_runs(None, ImageFormat((28, 28), "grey"))
    assert (runs.images.shape, runs.support.shape, runs.query.shape) == ((800, 28, 28, 1), (20, 20), (20, 20))
    assert runs.target[0, 0] == 7  # run01/test/item01.png run01/training/class08.png
    assert runs.class_names[runs.labels[runs.query[19, 19]]] == "run20/class20"
