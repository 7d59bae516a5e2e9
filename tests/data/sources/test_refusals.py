import os

import pytest

from siamese_tf.data.sources.refusals import format_reason, open_error, refusal_reason


def entry_of(folder, name):
    with os.scandir(folder) as entries:
        return next(entry for entry in entries if entry.name == name)


@pytest.mark.parametrize(("name", "reason"), [("plain.png", ""), ("tab\t.png", "must be UTF-8 without control")])
def test_unusual_names_are_refused(tmp_path, name, reason):
    (tmp_path / name).touch()
    found = refusal_reason(entry_of(tmp_path, name), os.path.realpath(tmp_path))
    assert bool(found) == bool(reason)
    assert reason in found


def test_links_to_the_outside_are_refused(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "up").symlink_to(tmp_path)
    (folder / "here").symlink_to(folder)
    root = os.path.realpath(folder)
    assert "outside" in refusal_reason(entry_of(folder, "up"), root)
    assert refusal_reason(entry_of(folder, "here"), root) == ""


def test_formats_that_are_not_read_are_refused_unless_their_header_is_known(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "b.heic").write_bytes(b"P5 1 1 255\n\0")
    assert format_reason(entry_of(tmp_path, "a.heic")).endswith("Convert it to PNG or JPEG")
    assert format_reason(entry_of(tmp_path, "b.heic")) == ""


def test_the_reason_of_the_system_is_named():
    assert "got Permission denied" in open_error(PermissionError(13, "Permission denied"))
