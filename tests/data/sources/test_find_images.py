import os

import pytest
from PIL import Image

from siamese_tf.data.sources.find_images import FoundImages, add_unused, find_images


def place(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if "." in name:
            (folder / name).write_bytes(b"")
        else:
            Image.new("L", (2, 2)).save(folder / name, "PNG")
    return folder


def test_natural_order(tmp_path):
    names = ["2", "10", "010", "a", "A1", "a2", "a10", "b", "x1y2", "x1y10", "x2", "ä", "9" * 200]
    found = find_images(place(tmp_path, *(f"{name}/1.png" for name in names)))
    classes = [path.split("/")[0] for path in found.files]
    assert classes == ["2", "010", "10", "9" * 200, "a", "A1", "a2", "a10", "b", "x1y2", "x1y10", "x2", "ä"]
    assert not found.has_parts


def test_images_below_or_beside_class_folders_are_unused(tmp_path):
    place(tmp_path, "a/1.png", "a/more/10.png", "a/more/2.JPG", "a/more/notes.txt", "a/.hidden/1.png", "a/more/.x.png")
    place(tmp_path, "top.png", "b/2", "b/deep/deeper/3.heic", "notes.txt")
    found = find_images(tmp_path)
    assert [*found.files] == ["a/1.png", "b/2"]
    assert found.unused == ["a/more/2.JPG", "a/more/10.png", "b/deep/deeper/3.heic", "top.png"]
    assert found.refused == {}


def test_images_behind_links_are_not_counted_twice(tmp_path):
    place(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    found = find_images(tmp_path)
    assert (len(found.files), found.unused) == (2, [])


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("train/a/1.png", "test/b/1.png"), {"train/a/1.png": 0, "test/b/1.png": 2}),
        (("val/a/1.png", "Train/a/1.png"), {"Train/a/1.png": 0, "val/a/1.png": 1}),
        (("test/a/1", "valid/a/1", "train/a/1"), {"train/a/1": 0, "valid/a/1": 1, "test/a/1": 2}),
    ],
)
def test_train_validation_and_test_are_parts(tmp_path, names, parts):
    found = find_images(place(tmp_path, *names, "notes/list.txt"))
    assert found.has_parts
    assert [*found.files] == [*parts]


@pytest.mark.parametrize("image", ["test/1.png", "train/1", "cats/1.png"])
def test_folders_are_classes_if_one_has_images(tmp_path, image):
    """Classes may be named train and test."""
    found = find_images(place(tmp_path, "train/a/1.png", "test/a/1.png", image))
    assert (found.has_parts, [*found.files]) == (False, [image])
    assert sorted(found.unused) == ["test/a/1.png", "train/a/1.png"]


@pytest.mark.parametrize("names", [("train/a/1.png",), ("test/a/1.png", "val/b/1.png"), ("training/a/1.png", "test/1")])
def test_a_split_needs_train_and_another_folder(tmp_path, names):
    assert not find_images(place(tmp_path, *names)).has_parts


def test_images_beside_the_parts_are_unused(tmp_path):
    found = find_images(place(tmp_path, "train/a/1.png", "test/a/1.png", "extra/a/1.png", "train/a/b/1.png", "top.png"))
    assert [*found.files] == ["train/a/1.png", "test/a/1.png"]
    assert sorted(found.unused) == ["extra/a/1.png", "top.png", "train/a/b/1.png"]


def test_images_outside_the_classes_of_groups_are_unused(tmp_path):
    place(tmp_path, "g/a/1.png", "h/a/1.png", "h/deep/a/1.png", "extra/x/a/1.png", "h/a/more/2.png", "top.png")
    found = find_images(tmp_path)
    assert (found.has_groups, [*found.files]) == (True, ["g/a/1.png", "h/a/1.png"])
    assert sorted(found.unused) == ["extra/x/a/1.png", "h/a/more/2.png", "h/deep/a/1.png", "top.png"]


def test_a_folder_with_images_beside_group_folders_is_a_class(tmp_path):
    found = find_images(place(tmp_path, "cats/1.png", "g/a/1.png", "h/a/1.png"))
    assert (found.has_groups, [*found.files]) == (False, ["cats/1.png"])
    assert found.unused == ["g/a/1.png", "h/a/1.png"]


def test_a_group_or_a_class_of_a_group_linked_to_outside_is_refused(tmp_path):
    place(tmp_path, "out/a/1.png", "in/g/a/1.png", "in/h/b/1.png")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "h" / "linked").symlink_to(tmp_path / "out" / "a")
    found = find_images(tmp_path / "in")
    assert [*found.refused] == ["h/linked", "linked"]
    assert [*found.files] == ["g/a/1.png", "h/b/1.png"]


def test_a_split_linked_to_outside_is_refused(tmp_path):
    place(tmp_path, "out/a/1.png", "in/train/a/1.png", "in/train/b/1.png")
    (tmp_path / "in" / "test").symlink_to(tmp_path / "out")
    found = find_images(tmp_path / "in")
    assert [*found.refused] == ["test"]
    assert [*found.files] == ["train/a/1.png", "train/b/1.png"]


def test_an_unreadable_nested_folder_is_listed(tmp_path):
    place(tmp_path, "a/1.png", "a/deep/1.png")
    (tmp_path / "a" / "deep").chmod(0)
    try:
        if os.access(tmp_path / "a" / "deep", os.R_OK):
            pytest.skip("this user may open anything")
        found = find_images(tmp_path)
        assert [*found.refused] == ["a/deep"]
        assert found.refused["a/deep"].startswith("must be readable; got ")
    finally:
        (tmp_path / "a" / "deep").chmod(0o755)


def test_folders_that_cannot_be_walked_are_listed(tmp_path, monkeypatch):
    def walk(folder, onerror):
        onerror(PermissionError(13, "Permission denied", f"{folder}/x\n/y"))
        return iter([])

    monkeypatch.setattr(os, "walk", walk)
    add_unused(found := FoundImages(), tmp_path, "a/deep")
    assert (found.unused, [*found.refused]) == ([], ["a/deep/x\\n/y"])
    assert found.refused["a/deep/x\\n/y"].startswith("must be readable; got Permission denied. ")


def test_unused_line(tmp_path):
    place(tmp_path, *(f"a/deep/{k}.png" for k in range(4)))
    line = "image files that are not directly in a class folder are ignored: "
    assert find_images(tmp_path).unused_line() == line + "4 (a/deep/0.png, a/deep/1.png, a/deep/2.png, ...)"
    assert FoundImages(unused=["a\n.png"]).unused_line() == line + "1 (a\\n.png)"


def test_the_search_for_unused_files_is_bounded(tmp_path):
    """Bounds the search if, for example, the home folder is named by mistake."""
    place(tmp_path, *(f"{k}/deep/deeper/1.png" for k in range(5)))
    found = FoundImages(folders_left=3)
    add_unused(found, tmp_path)
    assert (found.folders_left, found.unused) == (0, ["0/deep/deeper/1.png"][:0])
    found = FoundImages(folders_left=7)
    add_unused(found, tmp_path)
    assert found.unused_line().endswith(": 2 or more (0/deep/deeper/1.png, 1/deep/deeper/1.png)")
    add_unused(found, tmp_path)
    assert len(found.unused) == 2
