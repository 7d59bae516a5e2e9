import json

import pytest

from siamese_tf.data.images.format import NATIVE_FORMAT, ImageFormat, format_of_images, options_of, reject_image_options
from siamese_tf.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "size"), [("112x92", (112, 92)), ("112X92", (112, 92)), ("64", (64, 64)), ("1x2048", (1, 2048))]
)
def test_image_sizes_are_parsed(words, size):
    assert ImageFormat.parse(words, "grey", "crop") == ImageFormat(size, "grey", "crop")


def test_no_values_give_the_native_format():
    assert ImageFormat.parse(None, None, "pad") == NATIVE_FORMAT


@pytest.mark.parametrize("words", ["", "x", "112x", "x92", "1x2x3", "112 x 92", "-1", "1.5", "²", "big", "9" * 5000])
def test_invalid_image_sizes_are_refused(words):
    with pytest.raises(ConfigError, match="image size must be HEIGHTxWIDTH, as in 112x92"):
        ImageFormat.parse(words, None, "pad")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": (0, 5)}, "from 1 to 2048"),
        ({"size": (5, 2049)}, "from 1 to 2048"),
        ({"color": "gray"}, "color must be grey or rgb; got 'gray'"),
        ({"resize": "fit"}, "resize must be pad, crop or stretch; got 'fit'"),
    ],
)
def test_invalid_values_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        ImageFormat(**wrong)


@pytest.mark.parametrize(
    ("shapes", "size", "color"),
    [
        ([(5, 7, 1), (5, 7, 1)], (5, 7), "grey"),
        ([(5, 7, 1), (5, 7, 3)], (5, 7), "rgb"),
        ([(5, 7, 1), (7, 5, 1)], (112, 112), "grey"),
        ([(512, 9, 3)], (512, 9), "rgb"),
        ([(513, 9, 3), (513, 9, 3)], (112, 112), "rgb"),  # photos from a camera
        ([], (112, 112), "grey"),
    ],
)
def test_values_of_none_are_resolved_from_the_images(shapes, size, color):
    resolved = NATIVE_FORMAT.resolved(shapes)
    assert (resolved.size, resolved.color, resolved.resize) == (size, color, "pad")
    assert resolved.shape == (*size, 1 if color == "grey" else 3)


def test_given_values_are_not_resolved():
    image_format = ImageFormat((3, 4), "rgb", "stretch")
    assert image_format.resolved([(9, 9, 1)]) == image_format


@pytest.mark.parametrize(("channels", "color"), [(1, "grey"), (3, "rgb")])
@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
def test_format_of_images_has_their_shape(channels, color, resize):
    image_format = format_of_images((7, 5, channels), resize)
    assert image_format == ImageFormat((7, 5), color, resize)
    assert image_format.shape == (7, 5, channels)
    assert image_format.resolved([(9, 9, 3)]) == image_format
    assert format_of_images((7, 5, channels)).resize == "pad"


@pytest.mark.parametrize(
    ("shape", "resize", "message"),
    [
        ((7, 5, 2), "pad", r"channels must be 1 \(gray\) or 3 \(color\); got 2"),
        ((7, 5, 4), "pad", "got 4"),
        ((0, 5, 1), "pad", "from 1 to 2048"),
        ((7, 5, 1), "fit", "resize must be pad, crop or stretch; got 'fit'"),
    ],
)
def test_format_of_images_refuses_invalid_shapes(shape, resize, message):
    with pytest.raises(ConfigError, match=message):
        format_of_images(shape, resize)


def test_as_dict_returns_json_values():
    assert json.loads(json.dumps(ImageFormat((3, 4), "rgb").as_dict())) == ImageFormat((3, 4), "rgb").as_dict()
    assert NATIVE_FORMAT.as_dict() == {"size": None, "color": None, "resize": "pad"}


@pytest.mark.parametrize(
    "image_format", [ImageFormat(size=(1, 1)), ImageFormat(color="rgb"), ImageFormat(resize="crop")]
)
def test_image_options_without_image_files_are_refused(image_format):
    reject_image_options(NATIVE_FORMAT, "mnist")
    with pytest.raises(
        ConfigError, match=r"must be a folder or a list of image files .*; got mnist\. Omit these settings"
    ):
        reject_image_options(image_format, "mnist")


INK = ImageFormat((64, 48), "grey", "pad", True, "strokes")


def test_inversion_and_centering_are_part_of_the_format():
    assert ImageFormat.parse("64x48", "grey", "pad", True, "strokes") == INK
    assert ImageFormat.parse(None, None, "pad", True).resolved([(64, 48, 1)]) == ImageFormat(
        (64, 48), "grey", invert=True
    )
    assert INK.options == ("pad", True, "strokes")
    assert str(INK) == "64x48 grey, pad, inverted, centered strokes"
    assert INK.flags == "--image-size 64x48 --color grey --resize pad --invert --center strokes"
    assert format_of_images(INK.shape, *INK.options) == INK
    with pytest.raises(ConfigError, match="center must be strokes; got 'ink'"):
        ImageFormat(center="ink")


def test_a_manifest_records_inversion_and_centering_only_where_they_change_the_images():
    """So that pair files of earlier versions still match their images."""
    assert ImageFormat((64, 48), "grey").as_dict() == {"size": [64, 48], "color": "grey", "resize": "pad"}
    assert str(ImageFormat((64, 48), "grey")) == "64x48 grey, pad"
    assert INK.as_dict() | {} == {
        **ImageFormat((64, 48), "grey").as_dict(),
        **{"invert": True, "center": "strokes"},
    }
    assert options_of(INK.as_dict()) == INK.options


@pytest.mark.parametrize("form", [None, [], {}, {"resize": 1, "invert": "yes", "center": ["strokes"]}, {"center": {}}])
def test_wrong_values_of_an_untrusted_manifest_mean_the_default(form):
    assert options_of(form) == ("pad", False, None)
