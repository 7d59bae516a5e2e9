import os

import pytest
from PIL import Image

from siamese_tf.data.sources.image_tree import find_image_tree
from siamese_tf.errors import DatasetError


def place(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(folder / name, "PNG")
    return folder


def test_images_at_any_depth_in_natural_order(tmp_path):
    names = ["10.png", "2.png", "a/b/c/1.png", "a/1.png", "a/b/3.png", "without-suffix"]
    found = find_image_tree(place(tmp_path, *names))
    assert [*found.files] == ["2.png", "10.png", "a/1.png", "a/b/3.png", "a/b/c/1.png", "without-suffix"]
    assert all(path.samefile(tmp_path / name) for name, path in found.files.items())
    assert found.refused == {}


def test_hidden_entries_and_other_files_are_skipped(tmp_path):
    place(tmp_path, "a.png", ".hidden.png", ".thumbnails/b.png", "c/.d/e.png")
    (tmp_path / "notes.txt").write_text("text")
    assert [*find_image_tree(tmp_path).files] == ["a.png"]


def test_links_are_followed_to_files_inside_only(tmp_path):
    inside = place(tmp_path / "photos", "a.png", "more/b.png")
    outside = place(tmp_path / "other", "c.png")
    (inside / "link.png").symlink_to(inside / "a.png")
    (inside / "out.png").symlink_to(outside / "c.png")
    (inside / "loop").symlink_to(inside)
    (inside / "folder").symlink_to(outside)
    found = find_image_tree(inside)
    assert [*found.files] == ["a.png", "link.png", "more/b.png"]
    assert [*found.refused] == ["out.png"]
    assert "outside" in found.refused["out.png"]


def test_a_heic_file_and_an_odd_name_are_refused(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    place(tmp_path, "line\nbreak.png")
    assert [*find_image_tree(tmp_path).refused] == ["a.heic", "line\\nbreak.png"]


def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    place(tmp_path, "a.png", "b/c.png")
    scandir = os.scandir

    def refuse(path):
        if os.path.basename(path) == "b":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_image_tree(tmp_path)
    assert ([*found.files], [*found.refused]) == (["a.png"], ["b"])


@pytest.mark.parametrize("name", ["nothing", "file.png"])
def test_the_folder_must_exist(tmp_path, name):
    place(tmp_path, "file.png")
    with pytest.raises(DatasetError, match="must be an existing folder"):
        find_image_tree(tmp_path / name)


def test_an_empty_folder_has_no_images(tmp_path):
    assert find_image_tree(tmp_path).files == {}
