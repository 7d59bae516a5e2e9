import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images import decode as images
from siamese_tf.data.images.decode import decode_image, is_image, load_image, open_image, shape_of
from siamese_tf.errors import ImageError

COLORS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
GREYS = COLORS[..., 0]


def image_shape(source):
    with open_image(source) as image:
        return shape_of(image)


def save(tmp_path, array_or_image, name, **options):
    image = array_or_image if isinstance(array_or_image, Image.Image) else Image.fromarray(array_or_image)
    image.save(tmp_path / name, **options)
    return tmp_path / name


def png_chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, bits, colour_type, rows, *more):
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + data + png_chunk(b"IEND", b"")


def refused(path, *words):
    with pytest.raises(ImageError) as caught:
        decode_image(path)
    for word in (str(path), "must be ", "; got ", *words):
        assert word in str(caught.value)


# --- decoding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.ppm", "a.tiff", "a.webp", "a.dat"])
def test_color_round_trip(tmp_path, name):
    image = decode_image(save(tmp_path, COLORS, name, lossless=True, format="PNG" if name == "a.dat" else None))
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), COLORS)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.pgm", "a.tiff"])
def test_gray_round_trip(tmp_path, name):
    image = decode_image(str(save(tmp_path, GREYS, name)))
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), GREYS)


def test_jpeg_round_trip_is_approximate(tmp_path):
    smooth = np.tile(np.arange(0, 240, 5, dtype=np.uint8), (48, 1))
    image = decode_image(save(tmp_path, smooth, "a.jpg", quality=95))
    assert image.mode == "L"
    assert np.abs(np.asarray(image).astype(int) - smooth).max() <= 4


def test_a_jpeg_with_several_images_gives_the_first(tmp_path):
    two = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    path = save(tmp_path, two[0], "a.jpg", format="MPO", save_all=True, append_images=two[1:])
    assert np.abs(np.asarray(decode_image(path)).astype(int) - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("name", ["a.gif", "a.tiff", "a.webp"])
def test_several_frames_give_the_first(tmp_path, name):
    two = [Image.new("RGB", (5, 4), color) for color in ("red", "blue")]
    path = save(tmp_path, two[0], name, save_all=True, append_images=two[1:], lossless=True)
    image = decode_image(path)
    assert image.mode == "RGB"
    assert image.size == (5, 4)
    assert (np.asarray(image) == (255, 0, 0)).all()


@pytest.mark.parametrize("name", ["a.png", "a.tiff", "a.pgm"])
def test_16_bit_gray_is_divided_by_257(tmp_path, name):
    """Level k of 255 is 257 k of 65535; levels are rounded at half a step, 128.5."""
    sixteen = np.array([[0, 257, 1000, 32768], [257 * 254, 65535, 128, 129]], np.uint16)
    path = tmp_path / name
    if name == "a.pgm":
        path.write_bytes(b"P5 4 2 65535\n" + sixteen.astype(">u2").tobytes())
    else:
        save(tmp_path, sixteen, name)
    image = decode_image(path)
    assert image.mode == "L"
    assert np.asarray(image).tolist() == [[0, 1, 4, 128], [254, 255, 0, 1]]


def test_big_endian_tiff(tmp_path):
    values = np.array([[0, 257, 65535]], ">u2").tobytes()
    tags = [(256, 3, 3), (257, 3, 1), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 3, 8), (278, 3, 1), (279, 3, 6)]
    directory = b"".join(struct.pack(">HHIHH", tag, kind, 1, value, 0) for tag, kind, value in tags)
    path = tmp_path / "a.tiff"
    path.write_bytes(b"MM\0*" + struct.pack(">I", 14) + values + struct.pack(">H", len(tags)) + directory + bytes(4))
    assert np.asarray(decode_image(path)).tolist() == [[0, 1, 255]]


def test_one_bit(tmp_path):
    image = decode_image(save(tmp_path, Image.fromarray(GREYS > 128), "a.png"))
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), np.where(GREYS > 128, 255, 0))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_composited_on_black(tmp_path, mode):
    """200 at alpha 255 stays, at 0 is black, at 51 is 200 * 51 / 255 = 40."""
    image = Image.new(mode, (3, 1), 200 if mode == "LA" else (200, 200, 200))
    image.putalpha(Image.fromarray(np.array([[255, 0, 51]], np.uint8)))
    decoded = decode_image(save(tmp_path, image, "a.png"))
    assert decoded.mode == ("L" if mode == "LA" else "RGB")
    assert np.asarray(decoded.convert("L")).tolist() == [[200, 0, 40]]


@pytest.mark.parametrize(("mode", "key"), [("L", 200), ("RGB", (200, 10, 20))])
def test_a_transparent_color_is_black(tmp_path, mode, key):
    image = Image.new(mode, (2, 1), "white")
    image.putpixel((0, 0), key)
    decoded = decode_image(save(tmp_path, image, "a.png", transparency=key))
    assert decoded.mode == mode
    assert np.asarray(decoded.convert("L")).tolist() == [[0, 255]]


def test_palette(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8), "L")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    red, green, blue = [255, 0, 0], [0, 255, 0], [0, 0, 255]
    for name in ("a.png", "a.gif"):
        decoded = decode_image(save(tmp_path, image, name))
        assert decoded.mode == "RGB"
        assert np.asarray(decoded).tolist() == [[red, green], [blue, red]]


@pytest.mark.parametrize("transparency", [1, b"\xff\x00\xff"])
def test_palette_with_transparency(tmp_path, transparency):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "L")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    decoded = decode_image(save(tmp_path, image, "a.png", transparency=transparency))
    assert np.asarray(decoded).tolist() == [[[255, 0, 0], [0, 0, 0], [0, 0, 255]]]


def test_cmyk(tmp_path):
    decoded = decode_image(save(tmp_path, Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "a.tiff"))
    assert decoded.mode == "RGB"
    assert (np.asarray(decoded) == (255, 0, 0)).all()


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tiff", "a.webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path, name, orientation):
    """The image has one bright corner, at the top left when upright, stored where the orientation puts it."""
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :8] = 240
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, np.ascontiguousarray(stored), name, exif=exif)
    decoded = np.asarray(decode_image(path).convert("L")).astype(int)
    assert decoded.shape == (16, 32)
    assert np.abs(decoded - upright).max() < 40


def test_exif_orientation_of_a_16_bit_palette_and_alpha_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.array([[65535, 0, 0]], np.uint16))
    for mode in ("I;16", "P", "LA", "1"):
        image = stored if mode == "I;16" else Image.fromarray(np.array([[255, 0, 0]], np.uint8)).convert(mode)
        decoded = decode_image(save(tmp_path, image, "a.png", exif=exif)).convert("L")
        assert np.asarray(decoded).tolist() == [[255], [0], [0]]


def test_an_invalid_orientation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    np.testing.assert_array_equal(np.asarray(decode_image(save(tmp_path, GREYS, "a.png", exif=exif))), GREYS)


def test_the_result_is_independent_of_the_file(tmp_path):
    path = save(tmp_path, GREYS, "a.png")
    image = decode_image(path)
    path.unlink()
    image.putpixel((0, 0), 0)
    assert image.getpixel((0, 0)) == 0


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pixels_of_a_pillow_image_are_a_copy(mode):
    image = Image.new(mode, (4, 3), 7 if mode == "L" else (7, 7, 7))
    load_image(image, 3, 4, len(mode))[:] = 0
    assert (np.asarray(image) == 7).all()


# --- refusals -------------------------------------------------------------------------------------------------------


def test_missing_directory_empty(tmp_path):
    refused(tmp_path / "absent.png", "does not exist", "Check the path")
    refused(tmp_path, "got a folder")
    refused("nul\0.png", "a null character")
    (tmp_path / "empty.png").write_bytes(b"")
    refused(tmp_path / "empty.png", "empty")


@pytest.mark.parametrize("content", [b"\0", b"just words", b"%PDF-1.7 ", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>"])
def test_not_an_image(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    refused(path, "an unknown format", "PNG, JPEG", "Convert it")


@pytest.mark.parametrize("kind", ["ICO", "PCX", "TGA", "EPS"])
def test_formats_that_are_not_on_the_list(tmp_path, kind):
    refused(save(tmp_path, COLORS, "a.png", format=kind), "an unknown format")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.ppm", "a.tiff", "a.webp", "a.gif"])
def test_truncated(tmp_path, name):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    path = save(tmp_path, noise, name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path)


@pytest.mark.parametrize("side", [7_100, 9_500, 14_000, 60_000])
def test_too_many_pixels_are_refused_before_decoding(tmp_path, monkeypatch, side):
    """A file of 70 bytes that declares 50 million pixels to 3.6 billion, below and above Pillow's own two limits."""
    path = tmp_path / "a.png"
    path.write_bytes(png(side, side, 8, 0, b"\0"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("the pixels were decoded"))
    refused(path, "50,000,000 pixels", "Make it smaller")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused(path, "50,000,000 pixels")


def test_too_large_a_file(tmp_path, monkeypatch):
    path = save(tmp_path, COLORS, "a.png")
    monkeypatch.setattr(images, "MAX_FILE_BYTES", path.stat().st_size)
    assert decode_image(path).size == (9, 6)
    monkeypatch.setattr(images, "MAX_FILE_BYTES", path.stat().st_size - 1)
    refused(path, f"{path.stat().st_size} bytes", "Make it smaller")


@pytest.mark.parametrize("value", [None, 7, np.zeros((8, 8)), [1, 2], {"a": 1}])
def test_other_types_are_refused(value):
    for read in (decode_image, image_shape):
        with pytest.raises(ImageError, match=f"a path, the bytes of a file, .* got {type(value).__name__}"):
            read(value)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"just words", "bytes of length 10: must be one of PNG, JPEG, .*; got an unknown format"),
        (io.BytesIO(png(8, 8, 8, 0, b"")), "BytesIO: must be a complete image; got a file that cannot be decoded"),
        (png(60_000, 60_000, 8, 0, b"\0"), "bytes of length .*at most 50,000,000 pixels"),
        (Image.new("L", (0, 5)), "must be an image with pixels; got 0 x 5 pixels"),
        (Image.new("1", (50_000, 1_001)), "at most 50,000,000 pixels; got 50000 x 1001 pixels"),
        (Image.new("F", (2, 2)), "got 32-bit pixels"),
        (Image.new("I", (2, 2)), "got 32-bit pixels"),
    ],
)
def test_the_same_limits_for_bytes_streams_and_pillow_images(source, words):
    with pytest.raises(ImageError, match=words):
        decode_image(source)


def test_closed_files_and_images_are_refused(tmp_path):
    path = save(tmp_path, GREYS, "a.png")
    with open(path, "rb") as file, Image.open(path) as image:
        pass
    for closed in (file, image):
        with pytest.raises(ImageError, match="a file that cannot be decoded"):
            decode_image(closed)


def test_image_shape_and_is_image_of_bytes_and_streams(tmp_path):
    content = save(tmp_path, COLORS, "a.png").read_bytes()
    for source in (content, io.BytesIO(content), Image.fromarray(COLORS)):
        assert image_shape(source) == (6, 9, 3)
        assert is_image(source)
    assert not is_image(b"words")


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_32_bit_pixels_have_no_known_range(tmp_path, dtype):
    refused(save(tmp_path, GREYS.astype(dtype), "a.tiff"), "32-bit", "8 or 16 bits", "Convert it")


def test_a_bomb_in_the_text_of_a_png(tmp_path):
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**22)))
    path = tmp_path / "a.png"
    path.write_bytes(png(1, 1, 8, 0, b"\0\x07", bomb))
    refused(path, "cannot be decoded")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.ppm", "a.tiff", "a.webp", "a.gif"])
def test_damaged_files_give_an_image_or_an_image_error(tmp_path, name):
    rng = np.random.default_rng(2)
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(COLORS).save(buffer, Image.registered_extensions()[name[1:]], exif=exif)
    whole = np.frombuffer(buffer.getvalue(), np.uint8)
    path = tmp_path / name
    refusals = 0
    for _ in range(100):
        damaged = whole.copy()
        places = rng.integers(0, len(whole), rng.integers(1, 5))
        damaged[places] = rng.integers(0, 256, len(places))
        path.write_bytes(damaged.tobytes())
        try:
            assert decode_image(path).mode in ("L", "RGB")
        except ImageError:
            refusals += 1
    assert refusals > 0


# --- load_image -------------------------------------------------------------------------------------------------------


def test_same_size_is_untouched(tmp_path):
    loaded = load_image(save(tmp_path, COLORS, "a.png"), 6, 9, 3)
    assert loaded.dtype == np.uint8
    np.testing.assert_array_equal(loaded, COLORS)
    loaded[0] = 0  # the array is writable
    grey = load_image(save(tmp_path, GREYS, "b.png"), 6, 9, 1)
    np.testing.assert_array_equal(grey, GREYS[..., np.newaxis])


def test_gray_is_luma(tmp_path):
    """0.299 * 255 = 76.2, 0.587 * 255 = 149.7, 0.114 * 255 = 29.1."""
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)
    assert load_image(save(tmp_path, colours, "a.png"), 1, 4, 1)[0, :, 0].tolist() == [76, 150, 29, 9]


def test_gray_becomes_three_equal_channels(tmp_path):
    loaded = load_image(save(tmp_path, GREYS, "a.png"), 6, 9, 3)
    np.testing.assert_array_equal(loaded, np.repeat(GREYS[..., np.newaxis], 3, axis=2))


@pytest.mark.parametrize(
    ("size", "target", "box"),
    [
        ((4, 8), (8, 8), (2, 6, 0, 8)),  # half as high as wide: two black rows above and below
        ((8, 4), (8, 8), (0, 8, 2, 6)),
        ((16, 8), (8, 8), (0, 8, 2, 6)),  # shrinks
        ((2, 1), (8, 8), (0, 8, 2, 6)),  # grows
        ((3, 3), (3, 4), (0, 3, 0, 3)),  # odd margin: the black column is at the right
        ((3, 3), (4, 3), (0, 3, 0, 3)),  # and below
        ((28, 28), (14, 14), (0, 14, 0, 14)),
        ((1, 1000), (8, 8), (3, 4, 0, 8)),  # a thin image keeps one row
        ((1000, 1), (8, 8), (0, 8, 3, 4)),
        ((92, 112), (56, 56), (5, 51, 0, 56)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_other_sizes_are_centered_on_black(tmp_path, size, target, box, channels):
    height, width = target
    loaded = load_image(save(tmp_path, np.full(size, 200, np.uint8), "a.png"), height, width, channels)
    expected = np.zeros((height, width, channels), np.uint8)
    top, bottom, left, right = box
    expected[top:bottom, left:right] = 200
    np.testing.assert_array_equal(loaded, expected)


def test_shrinking_is_antialiased(tmp_path):
    """Fine stripes of 0 and 255 become medium gray; without antialiasing they would stay 0 or 255."""
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    loaded = load_image(save(tmp_path, stripes, "a.png"), 8, 8, 1)
    assert loaded.min() > 100
    assert loaded.max() < 155


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_other_numbers_of_channels_are_refused(tmp_path, channels):
    with pytest.raises(ImageError, match=f"channels must be 1 .* or 3 .*; got {channels}"):
        load_image(save(tmp_path, GREYS, "a.png"), 6, 9, channels)


def test_load_image_refuses_what_decode_image_refuses(tmp_path):
    with pytest.raises(ImageError, match=r"absent\.png: must be an image file; got a path that does not exist"):
        load_image(tmp_path / "absent.png", 28, 28, 1)
