import shutil

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.perceptual import ORIENTATIONS, orient_pixels
from siamese_tf.errors import DatasetError
from siamese_tf.inference.duplicate_pair import DuplicatePair
from siamese_tf.inference.duplicates import find_duplicates


def picture(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    for seed in range(5):
        (tmp_path / f"set{seed % 2}").mkdir(exist_ok=True)
        picture(seed).save(tmp_path / f"set{seed % 2}" / f"{seed}.png")
    return tmp_path


def groups(report) -> list[list[str]]:
    return [[report.names[image] for image in group] for group in report.groups]


def test_different_pictures_are_no_duplicates(folder):
    report = find_duplicates(folder)
    assert (len(report.names), report.pairs, report.groups, report.unreadable) == (5, [], [], {})


def test_equal_files_are_identical(folder):
    shutil.copy(folder / "set0" / "0.png", folder / "copy.png")
    shutil.copy(folder / "set0" / "0.png", folder / "set1" / "copy")
    report = find_duplicates(folder)
    assert groups(report) == [["copy.png", "set0/0.png", "set1/copy"]]
    assert {pair.kind for pair in report.pairs if 0 in (pair.first, pair.second)} == {"identical"}


@pytest.mark.parametrize(("turns", "mirrored"), ORIENTATIONS)
def test_a_turned_small_copy_of_lower_quality_is_found_with_its_orientation(folder, turns, mirrored):
    image = picture(3)
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.rotate(90 * turns, expand=True)
    image.resize((image.width * 2 // 3, image.height * 2 // 3)).save(folder / "z.jpg", quality=40)
    report = find_duplicates(folder)
    assert groups(report) == [["set1/3.png", "z.jpg"]]
    (pair,) = report.pairs
    assert pair.kind == "same picture"
    assert 0.985 < pair.score < 1.0
    names = [report.names[pair.first], report.names[pair.second]]
    copy = np.asarray(Image.open(folder / names[1]).convert("RGB").resize((32, 32)))
    original = np.asarray(Image.open(folder / names[0]).convert("RGB").resize((32, 32))).astype(int)
    assert np.abs(orient_pixels(copy, pair.turns, pair.mirrored) - original).mean() < 10


def test_a_crop_is_found(folder):
    picture(4).crop((6, 0, 114, 82)).save(folder / "crop.png")
    report = find_duplicates(folder)
    assert groups(report) == [["set0/4.png", "crop.png"]]
    assert [pair.kind for pair in report.pairs] == ["cropped"]


def test_the_representative_has_the_most_pixels_then_bytes(folder):
    picture(0, (240, 180)).save(folder / "large.jpg", quality=50)
    picture(0, (240, 180)).save(folder / "larger-file.jpg", quality=95)
    assert groups(find_duplicates(folder))[0] == ["larger-file.jpg", "large.jpg", "set0/0.png"]


def test_another_shape_or_color_is_another_picture(folder):
    picture(0).resize((90, 90)).save(folder / "square.png")
    Image.merge("RGB", picture(1).split()[::-1]).save(folder / "colors.png")
    image = np.asarray(picture(2)).astype(int)
    Image.fromarray((image // 2 + 110).astype(np.uint8)).save(folder / "brighter.png")
    assert find_duplicates(folder).groups == []


def test_images_without_contrast_are_duplicates_of_equal_files_only(tmp_path):
    for name, level in (("a.png", 9), ("b.png", 9), ("c.png", 10)):
        Image.new("RGB", (20, 20), (level,) * 3).save(tmp_path / name)
    assert groups(find_duplicates(tmp_path)) == [["a.png", "b.png"]]


def test_further_pairs_join_the_groups_but_do_not_replace_earlier_ones(folder):
    shutil.copy(folder / "set0" / "0.png", folder / "a.png")

    def search(paths):
        names = [path.relative_to(folder).as_posix() for path in paths]
        yield DuplicatePair(0, names.index("set0/0.png"), "model", 0.9)
        yield DuplicatePair(names.index("set0/2.png"), names.index("set1/1.png"), "model", 0.8)

    report = find_duplicates(folder, search)
    assert groups(report) == [["a.png", "set0/0.png"], ["set0/2.png", "set1/1.png"]]
    assert sorted(pair.kind for pair in report.pairs) == ["identical", "model"]


def test_unreadable_files_are_named(folder):
    (folder / "broken.jpg").write_bytes(b"no image")
    (folder / "out.png").symlink_to(folder.parent)
    report = find_duplicates(folder)
    assert [*report.unreadable] == ["broken.jpg"]
    assert len(report.names) == 5


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="must have images that can be read; got none"):
        find_duplicates(tmp_path)
    with pytest.raises(DatasetError, match="must be an existing folder"):
        find_duplicates(tmp_path / "gone")
