import os

import pytest

from siamese_tf.data.sources.folder_layout import are_groups, is_folder, looks_like_image, parts_of, visible


def place(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return visible(folder)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("g/a/1.png", "h/a/1.png"), True),
        (("g/a/1.png", "h/a/1.png", "notes/list.txt", "top.png", "extra/x/a/1.png"), True),
        (("g/a/1.png", "g/b/1.png"), False),  # one folder, probably that of an archive
        (("g/a/1.png", "h/x/a/1.png"), False),
        (("g/a/1.png", "h/a/1.png", "h/1.png"), False),  # h is a class
        (("g/a/1.txt", "h/a/1.txt"), False),
        (("test/a/1.png", "val/a/1.png"), False),  # splits without training
        (("Train/a/1.png", "g/a/1.png"), False),
    ],
)
def test_at_least_two_folders_with_class_folders_are_groups(tmp_path, names, expected):
    assert are_groups([place(tmp_path, *names)]) is expected


@pytest.mark.parametrize(("groups", "expected"), [("gh", True), ("gg", False)])
def test_groups_of_all_splits_count_by_name(tmp_path, groups, expected):
    entries = place(tmp_path, f"train/{groups[0]}/a/1.png", f"test/{groups[1]}/a/1.png")
    assert parts_of(entries) == {"train": 0, "test": 2}
    assert are_groups([visible(entry.path) for entry in entries]) is expected


def test_classes_in_one_split_and_groups_in_another_are_no_groups(tmp_path):
    entries = place(tmp_path, "train/a/1.png", "test/g/a/1.png", "test/h/a/1.png")
    assert not are_groups([visible(entry.path) for entry in entries])


def test_entries_are_in_natural_order_without_hidden_ones(tmp_path):
    assert [entry.name for entry in place(tmp_path, "s10/1", "s2/1", ".s1/1", "s3.png")] == ["s2", "s3.png", "s10"]


def test_kinds_of_entries(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    kinds = {entry.name: entry for entry in place(tmp_path, "a/1.png", "b.HEIC", "c.txt")}
    assert [name for name, entry in kinds.items() if is_folder(entry)] == ["a"]
    assert looks_like_image(kinds["b.HEIC"])
    assert not looks_like_image(kinds["c.txt"])


def test_a_folder_that_cannot_be_opened_is_no_group(tmp_path):
    entries = place(tmp_path, "g/a/1.png", "h/a/1.png")
    (tmp_path / "g").chmod(0)
    try:
        if os.access(tmp_path / "g", os.R_OK):
            pytest.skip("this user may open anything")
        assert not are_groups([entries])
    finally:
        (tmp_path / "g").chmod(0o755)
