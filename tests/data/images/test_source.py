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
    """A path of another library."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


class Once(io.RawIOBase):
    """A stream that cannot be rewound."""

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
def test_every_form_is_opened_at_its_start(path, image_format):
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
def test_what_is_no_source(value):
    assert not is_image_source(value)


@pytest.mark.parametrize(
    "image_format", [lambda path: path, lambda path: path.read_bytes(), lambda path: io.BytesIO(path.read_bytes())]
)
@pytest.mark.parametrize(("limit", "size"), [(len(CONTENT), True), (len(CONTENT) - 1, False)])
def test_the_limit_holds_for_every_form(path, image_format, limit, size):
    source = image_format(path)
    if size:
        open_source(source, limit).close()
    else:
        with pytest.raises(ImageError, match=rf"the file has {len(CONTENT)} bytes; expected at most {limit}; make it"):
            open_source(source, limit)


@pytest.mark.parametrize("source", [b"", io.BytesIO(), bytearray()])
def test_an_empty_one(source):
    with pytest.raises(ImageError, match="the file is empty; expected an image"):
        open_source(source, LIMIT)


def test_text_is_no_image():
    for stream in (io.StringIO("text"), io.TextIOWrapper(io.BytesIO(b"text"))):
        with pytest.raises(ImageError, match=r'open for reading text; expected .* binary reading; use the mode "rb"'):
            open_source(stream, LIMIT)


def test_a_fifo_a_device_a_folder_and_a_path_that_cannot_be_one(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for source, words in (
        (tmp_path / "fifo", "it is not a file"),
        ("/dev/zero", "it is not a file"),
        (tmp_path, "it is a folder, not a file"),
        ("a\0b", "it cannot be opened (The path contains a null character)"),
        (Path("a\0b"), "it cannot be opened (The path contains a null character)"),
        ("", "there is no such file"),
        (tmp_path / "absent", "there is no such file"),
        (tmp_path / ("a" * 5000), "there is no such file"),
        ("a.png/b.png", "there is no such file"),
    ):
        with pytest.raises(ImageError) as caught:
            open_source(source, LIMIT)
        assert f"{source}: {words}; expected an image file; check the path" == str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost/a.png", "https://localhost/a.png", "s3://bucket/a.png", Path("http://localhost/a.png")]
)
def test_a_url_is_not_asked_for(url):
    with pytest.raises(ImageError, match="it is a URL; expected a file on this machine; download it first"):
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
    assert str(refusal(source, "it is damaged", "a whole one", "copy it")) == (
        f"{name}: it is damaged; expected a whole one; copy it"
    )
