import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.decode import load_image
from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.sources.file_names import is_unusual_name, shown_name
from siamese_tf.data.sources.image_folder import read_image_folder
from siamese_tf.errors import DatasetError

ATT_FACES = Path(os.environ.get("SIAMESE_TF_DATA", "nowhere"), "att-faces")


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))


def draw(path, seed=0, size=(4, 3), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, size if mode == "L" else (*size, 3), np.uint8)
    Image.fromarray(noise).save(path)
    return noise


@pytest.fixture
def folder(tmp_path):
    """Draws images of three people; s10 has one image."""
    for seed, name in enumerate(("s10/1.png", "s2/10.pgm", "s2/9.png", "s1/a.bmp", "s1/b.PNG")):
        draw(tmp_path / "people" / name, seed)
    return tmp_path / "people"


def test_classes_and_files_in_natural_order(folder):
    found = read_image_folder(folder)
    assert found.class_names == ("s1", "s2", "s10")
    assert found.paths == ("s1/a.bmp", "s1/b.PNG", "s2/9.png", "s2/10.pgm", "s10/1.png")
    assert found.labels.tolist() == [0, 0, 1, 1, 2]
    assert (found.labels.dtype, found.images.dtype) == (np.int64, np.uint8)
    for image, path in zip(found.images, found.paths, strict=True):
        np.testing.assert_array_equal(image, load_image(folder / path, 4, 3, 1))
    assert (found.unreadable, found.resized) == ((), 0)


def test_by_suffix_or_content(folder):
    """An image without a suffix is listed, and so is a text file with an image suffix; other text files are not."""
    draw(folder / "s1" / "c.png").tofile(folder / "s1" / "d")
    (folder / "s1" / "c.png").rename(folder / "s1" / "c")
    for name in ("Thumbs.db", "notes.txt", "list.csv", "empty"):
        (folder / "s1" / name).write_text("" if name == "empty" else "only text")
    (folder / "s1" / "e.jpg").write_text("only text")
    found = read_image_folder(folder)
    assert [path for path in found.paths if path.startswith("s1/")] == ["s1/a.bmp", "s1/b.PNG", "s1/c"]
    (line,) = found.unreadable
    assert line.startswith("s1/e.jpg: must be one of PNG, JPEG")


def test_hidden_and_nested_files_are_skipped(folder):
    for name in ("s1/.hidden.png", ".git/1.png", "s1/deeper/1.png", "s1/looks-like.png/1.png", "top.png"):
        draw(folder / name)
    (folder / "empty").mkdir()
    found = read_image_folder(folder)
    assert (len(found.paths), found.class_names, found.unreadable) == (5, ("s1", "s2", "s10"), ())
    assert [line.split(": ")[1] for line in found.warnings] == ["3 (s1/deeper/1.png, s1/looks-like.png/1.png, top.png)"]


def test_links_within_the_folder_are_read_and_others_refused(folder, tmp_path):
    draw(tmp_path / "secret" / "1.png", 99)
    (folder / "s1" / "out.png").symlink_to(tmp_path / "secret" / "1.png")
    (folder / "s1" / "in.png").symlink_to(folder / "s2" / "9.png")
    (folder / "s1" / "dangling.png").symlink_to(folder / "s2" / "absent.png")
    (folder / "s1" / "zero.png").symlink_to("/dev/zero")
    (folder / "others").symlink_to(tmp_path / "secret")
    (folder / "loop").symlink_to(folder)
    found = read_image_folder(folder)
    assert "s1/in.png" in found.paths
    assert len(found.paths) == 6
    refused = dict(line.split(": ", 1) for line in found.unreadable)
    assert sorted(refused) == ["others", "s1/dangling.png", "s1/out.png", "s1/zero.png"]
    for name in ("others", "s1/out.png", "s1/zero.png"):
        assert refused[name] == "must be inside the folder; got a link to outside it. Copy the target into the folder"


def test_the_folder_itself_may_be_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert len(read_image_folder(tmp_path / "link").paths) == 5


def test_a_fifo_does_not_block(folder):
    os.mkfifo(folder / "s1" / "pipe.png")
    os.mkfifo(folder / "s1" / "pipe")
    assert list(read_image_folder(folder).unreadable) == [
        "s1/pipe.png: must be an image file; got a FIFO, a device or a socket. Check the path"
    ]


def test_names_that_are_not_utf8_are_skipped(folder):
    draw(folder / "s1" / "c.png")
    try:
        os.rename(folder / "s1" / "c.png", os.path.join(os.fsencode(folder), b"s1", b"\xe4.png"))
    except OSError:
        pytest.skip("this file system has only names in UTF-8")
    found = read_image_folder(folder)
    assert found.unreadable == ("s1/\\xe4.png: name must be UTF-8 without control characters. Rename it",)
    assert len(found.paths) == 5


@pytest.mark.parametrize(("name", "shown"), [("a\n.png", r"a\n.png"), ("\x1b[1m.png", r"\x1b[1m.png"), ("\r", r"\r")])
def test_names_with_control_characters_are_skipped(folder, name, shown):
    """Control characters would break lists and messages; a narrow space, as in names of screenshots, does not."""
    draw(folder / "s1" / "c\u202f1.png")
    draw(folder / "s1" / "d.png", 9)
    (folder / "s1" / "d.png").rename(folder / "s1" / name)
    (folder / "s10").rename(folder / "s1\n0")
    found = read_image_folder(folder)
    assert found.unreadable == tuple(
        f"{where}: name must be UTF-8 without control characters. Rename it" for where in (f"s1/{shown}", r"s1\n0")
    )
    assert "s1/c\u202f1.png" in found.paths


def test_circular_links_are_skipped(folder):
    for name in ("me", "s2/me.png", "s2/me"):
        (folder / name).symlink_to(Path(name).name)
    found = read_image_folder(folder)
    assert [line.split(";")[0] for line in found.unreadable] == [
        f"{name}: must be readable" for name in ("me", "s2/me", "s2/me.png")
    ]
    assert len(found.paths) == 5


def test_unsupported_formats_are_listed_with_a_hint(folder):
    for suffix in ("HEIC", "heif", "avif", "jp2"):
        (folder / "s1" / f"c.{suffix}").write_bytes(b"\0\0\0\x18ftypheic")
    draw(folder / "s1" / "c.png")
    (folder / "s1" / "c.png").rename(folder / "s1" / "d.heic")  # a PNG despite its name
    found = read_image_folder(folder)
    assert found.unreadable == tuple(
        f"s1/c.{suffix}: must be in a supported format; got .{suffix.lower()}. Convert it to PNG or JPEG"
        for suffix in ("avif", "HEIC", "heif", "jp2")
    )
    assert "s1/d.heic" in found.paths


def test_an_unreadable_folder(folder):
    (folder / "s10").chmod(0)
    try:
        if os.access(folder / "s10", os.R_OK):
            pytest.skip("this user may open anything")
        assert read_image_folder(folder).unreadable[0].startswith("s10: must be readable; got ")
    finally:
        (folder / "s10").chmod(0o755)


def test_a_folder_without_a_readable_image_is_not_a_class(folder):
    (folder / "s2" / "9.png").write_text("text")
    (folder / "s2" / "10.pgm").write_bytes(b"P5 9 9 255\n")
    found = read_image_folder(folder)
    assert found.class_names == ("s1", "s10")
    assert found.labels.tolist() == [0, 0, 1]
    assert [line.split(":")[0] for line in found.unreadable] == ["s2/9.png", "s2/10.pgm"]


def test_gray_only_if_all_images_are(folder):
    assert read_image_folder(folder).images.shape == (5, 4, 3, 1)
    draw(folder / "s1" / "c.png", mode="RGB")
    assert read_image_folder(folder).images.shape == (6, 4, 3, 3)
    assert read_image_folder(folder, ImageFormat(color="grey")).images.shape == (6, 4, 3, 1)


def test_the_size_is_shared_default_or_requested(folder):
    draw(folder / "s1" / "c.png", size=(3, 4))
    found = read_image_folder(folder)
    assert (found.image_format.size, found.resized) == ((112, 112), 6)
    found = read_image_folder(folder, ImageFormat((4, 3), resize="crop"))
    assert (found.image_format.size, found.resized) == ((4, 3), 1)
    np.testing.assert_array_equal(found.images[2], load_image(folder / "s1" / "c.png", 4, 3, 1, "crop"))


def test_the_digest_depends_on_paths_and_bytes(folder, tmp_path):
    first = read_image_folder(folder).sha256
    folder = folder.rename(tmp_path / "elsewhere")
    assert read_image_folder(folder).sha256 == first
    (folder / "s1" / "a.bmp").rename(folder / "s2" / "a.bmp")
    moved = read_image_folder(folder).sha256
    draw(folder / "s2" / "a.bmp", 77)
    assert len({first, moved, read_image_folder(folder).sha256}) == 3


def test_an_empty_folder_is_an_error(tmp_path):
    (tmp_path / "folder" / "empty").mkdir(parents=True)
    with pytest.raises(DatasetError) as caught:
        read_image_folder(tmp_path / "folder")
    for word in (
        f"{tmp_path / 'folder'}: must have the four IDX files train-images",
        "one subfolder of image files",
        ".png",
        "name another",
    ):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["1.png"], ["ignored: 1 (1.png)", "Move the images of each class into its own subfolder"]),
        (
            ["in/a/1.png", "in/b/1.png"],
            ["one subfolder per class", "2 (in/a/1.png, in/b/1.png)", "class folders: {}/in"],
        ),
        (["train/a/1.png", "train/b/1.png"], ["class folders: {}/train"]),
        (["x/y/a/1.png", "x/y/b/1.png", "x/y/b/2.png", "x/z/b/2.png"], [", ...)", "class folders: {}/x/y or {}/x/z"]),
        (["all/1.png", "in/a/1.png", "in/b/1.png"], ["all of the class all", "ignored: 2 (", "class folders: {}/in"]),
        (["train/x/a/1.png", "train/x/b/1.png", "test/x/a/1.png"], ["class folders: {}/train/x or {}/test/x"]),
        (["in/train/a/1.png", "in/test/a/1.png", "in/odd/a/1.png"], ["class folders: {}/in"]),
        (["train/a/1.png", "in/test/a/1.png"], ["class folders: {}/in/test or {}/train"]),
    ],
)
def test_folders_that_are_deeper_than_expected_are_named(tmp_path, files, words):
    for seed, file in enumerate(files):
        draw(tmp_path / "folder" / file, seed)
    with pytest.raises(DatasetError) as caught:
        read_image_folder(tmp_path / "folder")
    for word in words:
        assert word.replace("{}", f"{tmp_path / 'folder'}") in str(caught.value)


def test_train_validation_and_test_share_their_classes_by_name(tmp_path):
    names = ("train/s10/1.png", "train/s2/1.png", "train/s2/2.png", "val/s2/9.png", "Test/s1/1.png", "Test/s10/2.png")
    for seed, name in enumerate(names):
        draw(tmp_path / "people" / name, seed)
    found = read_image_folder(tmp_path / "people")
    assert found.class_names == ("s1", "s2", "s10")
    assert found.paths == ("train/s2/1.png", "train/s2/2.png", "train/s10/1.png", *names[3:])
    assert found.labels.tolist() == [1, 1, 2, 1, 0, 2]
    assert found.part.tolist() == [0, 0, 0, 1, 2, 2]
    assert found.part.dtype == np.int64


def test_a_folder_without_parts_and_groups_has_none(folder):
    found = read_image_folder(folder)
    assert found.part is None
    assert (found.groups, found.group_names) == (None, ())


def test_classes_of_two_groups_are_different_even_if_their_names_are_equal(tmp_path):
    names = ("a/c2/1.png", "a/c10/1.png", "a/c10/2.png", "a b/c2/1.png", "b10/c2/1.png", "b2/x/1.png", "b10/c1/1.png")
    for seed, name in enumerate(names):
        draw(tmp_path / "folder" / name, seed)
    found = read_image_folder(tmp_path / "folder")
    assert found.class_names == ("a/c2", "a/c10", "a b/c2", "b2/x", "b10/c1", "b10/c2")
    assert found.group_names == ("a", "a b", "b2", "b10")
    assert ["/".join(path.split("/")[:2]) for path in found.paths] == [found.class_names[k] for k in found.labels]
    assert [path.split("/")[0] for path in found.paths] == [found.group_names[k] for k in found.groups]
    assert found.groups.dtype == np.int64
    assert (found.part, found.warnings, found.unreadable) == (None, (), ())


def test_groups_within_train_and_test(tmp_path):
    names = ("train/g/a/1.png", "train/h/a/1.png", "test/g/a/2.png", "test/i/b/1.png")
    for seed, name in enumerate(names):
        draw(tmp_path / "folder" / name, seed)
    found = read_image_folder(tmp_path / "folder")
    assert found.paths == names
    assert found.class_names == ("g/a", "h/a", "i/b")
    assert found.labels.tolist() == [0, 1, 0, 2]
    assert found.groups.tolist() == [0, 1, 0, 2]
    assert found.part.tolist() == [0, 0, 2, 2]


def test_groups_below_the_folder_are_suggested(tmp_path):
    for seed, name in enumerate(("in/g/a/1.png", "in/h/a/1.png")):
        draw(tmp_path / name, seed)
    with pytest.raises(DatasetError, match="or the folder that contains groups of them: ") as caught:
        read_image_folder(tmp_path)
    assert f"groups of them: {tmp_path / 'in'}" in str(caught.value)
    assert read_image_folder(tmp_path / "in").group_names == ("g", "h")


def test_no_readable_image_is_an_error(folder):
    for path in folder.rglob("*.*"):
        path.write_text("text")
    with pytest.raises(
        DatasetError, match=r"0 readable of 5 image files \(first unreadable file: s1/a.bmp: must be one of PNG"
    ):
        read_image_folder(folder)


def test_one_class_is_an_error(tmp_path):
    draw(tmp_path / "folder" / "cats" / "1.png")
    with pytest.raises(
        DatasetError, match=r"2 or more classes, .*; got 1 readable of 1 image files, all of the class cats"
    ):
        read_image_folder(tmp_path / "folder")


@pytest.mark.skipif(not ATT_FACES.is_dir(), reason="needs att-faces/ in $SIAMESE_TF_DATA")
def test_att_faces():
    found = read_image_folder(ATT_FACES)
    assert found.images.shape == (400, 112, 92, 1)
    assert found.class_names == tuple(f"s{k}" for k in range(1, 41))
    assert np.bincount(found.labels).tolist() == [10] * 40
    assert found.paths[10:12] == ("s2/1.pgm", "s2/2.pgm")
    pixels = np.frombuffer((ATT_FACES / "s2" / "2.pgm").read_bytes()[-112 * 92 :], np.uint8)
    np.testing.assert_array_equal(found.images[11].ravel(), pixels)


@pytest.mark.parametrize(
    ("name", "odd", "shown"),
    [
        ("M\u00fcller", False, "M\u00fcller"),
        ("M\udcc3\udcbcller", False, "M\u00fcller"),  # the same bytes, as decoded in the C locale
        ("M\udcfcller", True, "M\\xfcller"),
        ("a\nb", True, "a\\nb"),
        ("a\ud800b", True, None),
    ],
)
def test_names_are_checked_by_their_bytes_in_any_locale(name, odd, shown):
    assert is_unusual_name(name) is odd
    if shown is not None:
        assert shown_name(name) == shown
