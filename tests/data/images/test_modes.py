"""Pillow images that were created in memory: they give the same pixels as the file they are saved to."""

import io

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.decode import decode_image, load_image
from siamese_tf.data.images.modes import channels_of, has_32_bits, orientation_of, upright_eight_bits

COLORS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
# Mode -> file format that preserves it.
STORED = {
    "1": "PNG",
    "L": "PNG",
    "LA": "PNG",
    "P": "PNG",
    "RGB": "PNG",
    "RGBA": "PNG",
    "CMYK": "TIFF",
    "YCbCr": "TIFF",
    "LAB": "TIFF",
    "I;16": "PNG",
}


def of_mode(mode: str) -> Image.Image:
    image = Image.fromarray(COLORS)
    if mode == "I;16":
        return Image.fromarray(COLORS[..., 0].astype(np.uint16) * 257)
    if mode == "LAB":
        return Image.merge("LAB", image.split())
    if mode in ("LA", "RGBA"):
        image = image.convert(mode)
        image.putalpha(Image.fromarray(COLORS[..., 1]))
        return image
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", STORED)
def test_an_image_gives_the_pixels_of_its_file(mode):
    image = of_mode(mode)
    content = saved(image, STORED[mode])
    file = decode_image(content)
    for one in (image, Image.open(io.BytesIO(content)), image.copy()):
        decoded = decode_image(one)
        assert decoded.mode == file.mode
        np.testing.assert_array_equal(np.asarray(decoded), np.asarray(file))
        for channels in (1, 3):
            expected = load_image(content, 5, 5, channels)
            np.testing.assert_array_equal(load_image(one, 5, 5, channels), expected)


@pytest.mark.parametrize("transparency", [1, b"\xff\x00\x80", None])
def test_a_palette_is_converted_to_its_colors(transparency):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "L")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    options = {} if transparency is None else {"transparency": transparency}
    content = saved(image, "PNG", **options)
    image.info.update(options)
    green = 255 if transparency is None else 0
    blue = 128 if transparency == b"\xff\x00\x80" else 255
    for one in (image, content, Image.open(io.BytesIO(content))):
        assert np.asarray(decode_image(one)).tolist() == [[[255, 0, 0], [0, green, 0], [0, 0, blue]]]


@pytest.mark.parametrize(
    ("mode", "value", "pixel"),
    [
        ("HSV", (0, 255, 255), [255, 0, 0]),
        ("YCbCr", (100, 128, 128), [100, 100, 100]),
        ("CMYK", (0, 255, 255, 0), [255, 0, 0]),
        ("RGBX", (1, 2, 3, 0), [1, 2, 3]),
        ("RGBA", (200, 100, 50, 51), [40, 20, 10]),
        ("RGBa", (40, 20, 10, 51), [40, 20, 10]),
        ("PA", (0, 0), [0, 0, 0]),
        ("LA", (200, 51), 40),
        ("La", (40, 51), 40),
        ("1", 1, 255),
        ("I;16", 65535, 255),
        ("I;16B", 65535, 255),
    ],
)
def test_modes_worked_example(mode, value, pixel):
    image = Image.new(mode, (1, 1), value)
    decoded = upright_eight_bits(image)
    assert np.asarray(decoded)[0, 0].tolist() == pixel
    assert channels_of(image) == np.size(pixel)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied_as_for_a_file(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(Image.fromarray(COLORS), "PNG", exif=exif)
    image = Image.open(io.BytesIO(content))
    assert orientation_of(image) == orientation
    expected = np.asarray(decode_image(content))
    assert expected.shape == ((6, 9, 3) if orientation < 5 else (9, 6, 3))
    for one in (image, image.copy()):
        np.testing.assert_array_equal(np.asarray(decode_image(one)), expected)
    assert image.size == (9, 6)  # the caller's image is unchanged


@pytest.mark.parametrize(("mode", "kind", "found"), [("F", None, True), ("I", None, True), ("I;16", None, False)])
def test_32_bit_pixels_have_no_known_range(mode, kind, found):
    assert has_32_bits(Image.new(mode, (1, 1))) is found


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_upright_image_of_8_bits_is_not_copied(mode):
    image = Image.new(mode, (2, 1))
    assert upright_eight_bits(image) is image
