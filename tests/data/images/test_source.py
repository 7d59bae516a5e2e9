import io
import os
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.source import is_image_source, open_source, refusal
from siamese_tf.errors import ImageError

CONTENT = b"whatever is in it"
LIMIT = 100


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(CONTENT)
    return path


class Elsewhere(os.PathLike):
    """Path class of another library."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


class Once(io.RawIOBase):
    """Stream that is not seekable."""

    def read(self, size=-1):
        return CONTENT

    def seekable(self):
        return False


@pytest.mark.parametrize(
    "image_format",
    [
        lambda path: path,
        str,
        lambda path: np.str_(path),
        Elsewhere,
        lambda path: path.read_bytes(),
        lambda path: bytearray(path.read_bytes()),
        lambda path: memoryview(path.read_bytes()),
        lambda path: np.bytes_(path.read_bytes()),
        lambda path: io.BytesIO(path.read_bytes()),
        lambda _: Once(),
    ],
)
def test_every_type_of_source_is_opened_at_its_start(path, image_format):
    source = image_format(path)
    assert is_image_source(source)
    for _ in range(2):
        with open_source(source, LIMIT) as file:
            assert file.read() == CONTENT


def test_an_open_file_is_read_from_its_start_and_left_open(path):
    with open(path, "rb") as stream:
        stream.read(5)
        for _ in range(2):
            assert open_source(stream, LIMIT).read() == CONTENT
        assert not stream.closed


@pytest.mark.parametrize("value", [None, 1, 1.5, {}, set(), [], (), np.zeros(3), object()])
def test_other_types_are_not_image_sources(value):
    assert not is_image_source(value)


@pytest.mark.parametrize(
    "image_format", [lambda path: path, lambda path: path.read_bytes(), lambda path: io.BytesIO(path.read_bytes())]
)
@pytest.mark.parametrize(("limit", "size"), [(len(CONTENT), True), (len(CONTENT) - 1, False)])
def test_the_limit_applies_to_every_type_of_source(path, image_format, limit, size):
    source = image_format(path)
    if size:
        open_source(source, limit).close()
    else:
        with pytest.raises(
            ImageError, match=rf"must be a file of at most {limit} bytes; got {len(CONTENT)} bytes\. Make it"
        ):
            open_source(source, limit)


@pytest.mark.parametrize("source", [b"", io.BytesIO(), bytearray()])
def test_an_empty_file_is_refused(source):
    with pytest.raises(ImageError, match="must be an image; got an empty file"):
        open_source(source, LIMIT)


def test_a_file_open_in_text_mode_is_refused():
    for stream in (io.StringIO("text"), io.TextIOWrapper(io.BytesIO(b"text"))):
        with pytest.raises(
            ImageError, match=r'open for binary reading; got a file open in text mode\. Use the mode "rb"'
        ):
            open_source(stream, LIMIT)


def test_paths_that_are_not_regular_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for source, words in (
        (tmp_path / "fifo", "a FIFO, a device or a socket"),
        ("/dev/zero", "a FIFO, a device or a socket"),
        (tmp_path, "a folder"),
        ("a\0b", "a path that cannot be opened (The path contains a null character)"),
        (Path("a\0b"), "a path that cannot be opened (The path contains a null character)"),
        ("", "a path that does not exist"),
        (tmp_path / "absent", "a path that does not exist"),
        (tmp_path / ("a" * 5000), "a path that does not exist"),
        ("a.png/b.png", "a path that does not exist"),
    ):
        with pytest.raises(ImageError) as caught:
            open_source(source, LIMIT)
        assert f"{source}: must be an image file; got {words}. Check the path" == str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost/a.png", "https://localhost/a.png", "s3://bucket/a.png", Path("http://localhost/a.png")]
)
def test_a_url_is_not_downloaded(url):
    with pytest.raises(ImageError, match=r"must be a local file; got a URL\. Download it first"):
        open_source(url, LIMIT)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a.png", "a.png"),
        (PurePosixPath("b/a.png"), "b/a.png"),
        (b"abc", "bytes of length 3"),
        (io.BytesIO(b"abc"), "BytesIO"),
        (Image.new("P", (3, 2)), "Pillow image of 3 x 2 pixels"),
    ],
)
def test_the_error_names_the_source(source, name):
    assert str(refusal(source, "a damaged file", "an image", "Copy it again")) == (
        f"{name}: must be an image; got a damaged file. Copy it again"
    )
