"""Files as they are found in the world, drawn here: each gives exactly these pixels, or an error by name."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.decode import MAX_PIXELS, decode_image, is_image, load_image, open_image, shape_of
from siamese_tf.errors import ImageError

RED, GREEN, BLUE, BLACK = [255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]
UPRIGHT = np.arange(10, 70, 10, np.uint8).reshape(2, 3)


def image_shape(source):
    with open_image(source) as image:
        return shape_of(image)


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, bits, colour_type, row, *more):
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + pixels + chunk(b"IEND", b"")


def saved(image, kind, **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(np.array(image, np.uint8))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def shorts(*values):
    return struct.pack(f">{len(values)}H", *values)


def turned(orientation, kind, **options):
    """`UPRIGHT` as a camera stores it that was held so."""
    stored = {
        1: UPRIGHT,
        2: UPRIGHT[:, ::-1],
        3: UPRIGHT[::-1, ::-1],
        4: UPRIGHT[::-1],
        5: UPRIGHT.T,
        6: UPRIGHT.T[::-1],
        7: UPRIGHT.T[::-1, ::-1],
        8: UPRIGHT.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(np.ascontiguousarray(stored), kind, exif=exif, **options)


def frames(kind, *colours, **options):
    first, *others = [Image.new("RGB", (2, 1), color) for color in colours]
    return saved(first, kind, save_all=True, append_images=others, **options)


def palette(*indices):
    image = Image.fromarray(np.array([indices], np.uint8), "L")
    image.putpalette([*RED, *GREEN, *BLUE])
    return image


def plane(mode, *values):
    """An even picture of 8x8, which JPEG keeps as it is."""
    return Image.merge(mode, [Image.new("L", (8, 8), value) for value in values])


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
HALF = 128 * 257 + 129  # of 65535: level 128, and just more than half a step

# what it is -> its bytes, and its pixels as decode_image gives them: of grey ones numbers, of coloured ones triples
GOOD = {
    **{f"exif-{n}.png": (turned(n, "PNG"), UPRIGHT.tolist()) for n in range(1, 9)},
    **{f"exif-{n}.tif": (turned(n, "TIFF"), UPRIGHT.tolist()) for n in range(1, 9)},
    "16-bit.png": (png(4, 1, 16, 0, shorts(0, 257, HALF, 65535)), [[0, 1, 129, 255]]),
    "16-bit.pgm": (b"P5 4 1 65535\n" + shorts(0, 257, HALF, 65535), [[0, 1, 129, 255]]),
    "16-bit.tif": (saved(Image.fromarray(np.array([[0, 257, HALF, 65535]], np.uint16)), "TIFF"), [[0, 1, 129, 255]]),
    "10-bit.pgm": (b"P5 3 1 1023\n" + shorts(0, 1023, 512), [[0, 255, 128]]),
    "16-bit-transparent.png": (
        png(3, 1, 16, 0, shorts(65535, 1000, 257), chunk(b"tRNS", shorts(65535))),
        [[0, 4, 1]],
    ),
    "16-bit-rgb.png": (png(2, 1, 16, 2, shorts(65535, 0, 257 * 9, 255, 256, 511)), [[[255, 0, 9], [0, 1, 1]]]),
    "16-bit-alpha.png": (png(2, 1, 16, 4, shorts(257 * 9, 65535, 65535, 0)), [[[9, 9, 9], BLACK]]),
    "palette.png": (saved(palette(0, 1, 2), "PNG"), [[RED, GREEN, BLUE]]),
    "palette-one-transparent.png": (saved(palette(0, 1, 2), "PNG", transparency=1), [[RED, BLACK, BLUE]]),
    "palette-alpha.png": (saved(palette(0, 1, 2), "PNG", transparency=b"\xff\x33\0"), [[RED, [0, 51, 0], BLACK]]),
    "palette-4-colours.png": (
        png(4, 1, 2, 3, b"\x1b", chunk(b"PLTE", bytes(range(12)))),
        [[[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]],
    ),
    "rgba.png": (
        png(3, 1, 8, 6, bytes([200, 100, 50, 255, 200, 100, 50, 51, 200, 100, 50, 0])),
        [[[200, 100, 50], [40, 20, 10], BLACK]],
    ),
    "la.png": (png(3, 1, 8, 4, bytes([200, 255, 200, 51, 200, 0])), [[200, 40, 0]]),
    "grey-transparent.png": (png(2, 1, 8, 0, bytes([200, 100]), chunk(b"tRNS", shorts(200))), [[0, 100]]),
    "2-bit.png": (png(4, 1, 2, 0, b"\x1b"), [[0, 85, 170, 255]]),
    "1-bit.png": (png(8, 1, 1, 0, b"\x55"), [[0, 255] * 4]),
    "1-bit.pbm": (b"P4\n8 1\n\x55", [[255, 0] * 4]),
    "1-bit.bmp": (saved(Image.fromarray(np.array([[True, False]])), "BMP"), [[255, 0]]),
    "1-bit.tif": (saved(Image.fromarray(np.array([[True, False]])), "TIFF", compression="group4"), [[255, 0]]),
    "plain.pgm": (b"P2\n# a remark\n2 1\n100\n0 100\n", [[0, 255]]),
    "plain.ppm": (b"P3 1 1 255 1 2 3\n", [[[1, 2, 3]]]),
    "cmyk.jpg": (saved(plane("CMYK", 0, 255, 255, 0), "JPEG", quality=100), [[RED] * 8] * 8),
    "cmyk.tif": (saved(plane("CMYK", 255, 0, 255, 0), "TIFF"), [[GREEN] * 8] * 8),
    "ycbcr.tif": (saved(plane("YCbCr", 100, 128, 128), "TIFF"), [[[100] * 3] * 8] * 8),
    "grey.jpg": (saved(Image.new("L", (8, 8), 77), "JPEG"), [[77] * 8] * 8),
    "progressive.jpg": (saved(Image.new("L", (8, 8), 77), "JPEG", progressive=True), [[77] * 8] * 8),
    "animated.gif": (frames("GIF", "red", "blue"), [[RED, RED]]),
    "animated.webp": (frames("WEBP", "red", "blue", lossless=True), [[RED, RED]]),
    "animated.png": (frames("PNG", "red", "blue"), [[RED, RED]]),
    "still-before-animation.png": (frames("PNG", "lime", "red", "blue", default_image=True), [[GREEN, GREEN]]),
    "pages.tif": (frames("TIFF", "red", "blue"), [[RED, RED]]),
    "transparent.gif": (saved(palette(0, 1), "GIF", transparency=1), [[RED, BLACK]]),
    "alpha.webp": (saved(Image.new("RGBA", (1, 1), (200, 100, 50, 0)), "WEBP", lossless=True), [[BLACK]]),
    "alpha.tif": (saved(Image.new("RGBA", (1, 1), (200, 100, 50, 51)), "TIFF"), [[[40, 20, 10]]]),
    "png-named.jpg": (saved([[7, 8]], "PNG"), [[7, 8]]),
    "bmp-named.txt": (saved([[7, 8]], "BMP"), [[7, 8]]),
}

# what it is -> its bytes, and words of the error
BAD = {
    "empty.png": (b"", "an empty file"),
    "text.png": (b"not an image, whatever its name says\n", "an unknown format"),
    "html.jpg": (b"<!DOCTYPE html><html>404 Not Found</html>", "an unknown format"),
    "vector.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an unknown format"),
    "icon.png": (saved(Image.new("RGB", (16, 16)), "ICO"), "an unknown format"),
    "truncated.png": (saved(NOISE, "PNG")[:2000], "cannot be decoded"),
    "truncated.jpg": (saved(NOISE, "JPEG")[:1000], "cannot be decoded"),
    "truncated.gif": (saved(NOISE, "GIF")[:2000], "cannot be decoded"),
    "truncated.webp": (saved(NOISE, "WEBP", lossless=True)[:2000], "cannot be decoded"),
    "truncated.tif": (saved(NOISE, "TIFF")[:2000], "; got "),
    "truncated.pgm": (b"P5 64 64 255\n" + NOISE.tobytes()[:2000], "cannot be decoded"),
    "only-a-header.png": (saved(NOISE, "PNG")[:60], "cannot be decoded"),
    "flipped-bit.png": (
        saved(NOISE, "PNG")[:50] + bytes([saved(NOISE, "PNG")[50] ^ 1]) + saved(NOISE, "PNG")[51:],
        "cannot be decoded",
    ),
    "float.tif": (saved(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"), "32-bit"),
    "float.pfm": (b"Pf 1 1 -1.0\n" + struct.pack("<f", 0.5), "32-bit"),
    "32-bit.tif": (saved(Image.fromarray(np.ones((2, 2), np.int32)), "TIFF"), "32-bit"),
    "text-bomb.png": (png(1, 1, 8, 0, b"\7", chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**22)))), "cannot be"),
}

SCREEN = b"\x80\0\0" + bytes(6)  # two colours, both black


def frame(width, height):
    return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2\2\x44\1\0;"


BOMBS = {
    "bomb.png": png(60_000, 60_000, 8, 2, b""),
    "just-too-large.png": png(MAX_PIXELS // 5000 + 1, 5000, 8, 0, b""),
    "bomb.pgm": b"P5 60000 60000 255\n\0",
    "bomb.gif": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + SCREEN + frame(65_535, 65_535),
    "frame-bomb.gif": b"GIF89a" + struct.pack("<HH", 1, 1) + SCREEN + frame(9000, 9000),
    "bomb.bmp": b"BM" + struct.pack("<IIIIiiHHIIiiII", 99, 0, 54, 40, 30_000, 30_000, 1, 24, 0, 0, 0, 0, 0, 0),
    "bomb.webp": b"RIFF" + struct.pack("<I4s4sI", 22, b"WEBP", b"VP8L", 10) + b"\x2f\xff\xff\xff\x0f" + bytes(5),
}


def test_the_table_is_long_enough():
    assert len(GOOD) + len(BAD) + len(BOMBS) >= 30


@pytest.mark.parametrize("name", GOOD)
def test_decoded_to_exactly_these_pixels(tmp_path, name):
    content, pixels = GOOD[name]
    (tmp_path / name).write_bytes(content)
    decoded = decode_image(tmp_path / name)
    assert decoded.mode == ("L" if np.ndim(pixels) == 2 else "RGB")
    assert np.asarray(decoded).tolist() == pixels
    height, width = np.shape(pixels)[:2]
    assert image_shape(tmp_path / name) == (height, width, 1 if np.ndim(pixels) == 2 else 3)
    assert is_image(tmp_path / name)
    grey = load_image(tmp_path / name, height, width, 1)[..., 0]
    weights = [299, 587, 114]
    expected = pixels if np.ndim(pixels) == 2 else np.dot(pixels, weights) / 1000
    assert np.abs(grey - expected).max() <= 0.5


@pytest.mark.parametrize("name", BAD)
def test_refused_by_name(tmp_path, name):
    content, words = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError) as caught:
        decode_image(tmp_path / name)
    for word in (f"{tmp_path / name}: must be ", words, "; got "):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(BOMBS[name])
    for read in (decode_image, image_shape):
        with pytest.raises(ImageError) as caught:
            read(tmp_path / name)
        assert f"{tmp_path / name}: " in str(caught.value)
        assert "must be an image of at most 50,000,000 pixels; got " in str(caught.value)
        assert ". Make it smaller" in str(caught.value)


def test_pillow_does_not_warn_of_what_is_refused(tmp_path, recwarn):
    """It warns of more pixels than 89 million."""
    (tmp_path / "large.png").write_bytes(png(10_000, 10_000, 8, 0, b""))
    with pytest.raises(ImageError, match="at most 50,000,000 pixels; got 10000 x 10000 pixels"):
        decode_image(tmp_path / "large.png")
    assert not recwarn.list


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuses(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(saved([[1]], "PNG"))
    monkeypatch.setattr("builtins.open", refuses)
    with pytest.raises(
        ImageError, match=r"a\.png: must be a readable file; .* without read permission\. Check its permissions"
    ):
        decode_image(tmp_path / "a.png")


def test_bombs_take_no_memory(tmp_path):
    """The peak of resident memory while all are refused, in a process of its own; each would need gigabytes."""
    for name, content in BOMBS.items():
        (tmp_path / name).write_bytes(content)
    script = """
import resource, sys
from pathlib import Path
from siamese_tf.data.images.decode import decode_image
from siamese_tf.errors import ImageError
unit = 1 if sys.platform == "darwin" else 1024
small = Path(sys.argv[1]) / "small.png"
decode_image(small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
refused = 0
for path in Path(sys.argv[1]).glob("*bomb*"):
    try:
        decode_image(path)
    except ImageError:
        refused += 1
print(refused, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before)
"""
    (tmp_path / "small.png").write_bytes(saved([[1]], "PNG"))
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    refused, grown = map(int, ran.stdout.split())
    assert refused == len([name for name in BOMBS if "bomb" in name])
    assert grown < 50 * 2**20
