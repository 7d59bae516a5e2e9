from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.image_form import RESIZES
from siamese_tf.data.images import load_image
from siamese_tf.errors import ImageError
from siamese_tf.models.inputs import as_images, images_at_once

GREY, COLOUR = (8, 6, 1), (8, 6, 3)


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "size", "count", "single"),
    [
        ((8, 6), GREY, 1, True),
        ((8, 6, 1), GREY, 1, True),
        ((5, 8, 6), GREY, 5, False),
        ((5, 8, 6, 1), GREY, 5, False),
        ((1, 8, 6), GREY, 1, False),
        ((8, 8, 6), GREY, 8, False),
        ((0, 8, 6), GREY, 0, False),
        ((0, 8, 6, 1), GREY, 0, False),
        ((8, 6, 3), COLOUR, 1, True),
        ((5, 8, 6, 3), COLOUR, 5, False),
        ((0, 8, 6, 3), COLOUR, 0, False),
    ],
)
def test_every_accepted_shape(shape, size, count, single):
    images = pixels(*shape)
    stack, alone = as_images(images, size)
    assert stack.shape == (count, *size)
    assert alone is single
    assert stack.dtype == np.uint8
    np.testing.assert_array_equal(stack.ravel(), images.ravel())


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((6, 8), GREY),  # turned
        ((8, 6, 3), GREY),
        ((5, 8, 6, 3), GREY),
        ((2, 5, 8, 6, 1), GREY),
        ((48,), GREY),
        ((), GREY),
        ((0,), GREY),
        ((8, 6), COLOUR),
        ((8, 6, 1), COLOUR),
        ((5, 8, 6), COLOUR),
        ((3, 8, 6), COLOUR),  # channels first
        ((5, 8, 6, 4), COLOUR),
    ],
)
def test_any_other_shape_is_refused(shape, size):
    with pytest.raises(ImageError) as caught:
        as_images(pixels(*shape), size)
    message = str(caught.value)
    assert f"shape {size} or (n, 8, 6, {size[2]})" in message
    assert f"got {shape}" in message
    assert "load_image" in message
    assert ("optional" in message) == (size == GREY)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_become_float32(dtype):
    images = np.linspace(0, 1, 48).reshape(8, 6).astype(dtype)
    stack, _ = as_images(images, GREY)
    assert stack.dtype == np.float32
    np.testing.assert_allclose(stack[0, :, :, 0], images, rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, bool, complex, object, "<U3", "datetime64[s]"])
def test_any_other_dtype_is_refused(dtype):
    with pytest.raises(ImageError, match="must be uint8 .* or float .*; got .*Convert them first"):
        as_images(np.zeros((8, 6), np.uint8).astype(dtype), GREY)


@pytest.mark.parametrize(
    ("value", "found"),
    [(255.0, "to 255"), (1.001, "to 1.001"), (-0.5, "from -0.5"), (np.nan, "nan"), (np.inf, "to inf")],
)
def test_floats_outside_0_to_1_are_refused(value, found):
    images = np.full((2, 8, 6), 0.5)
    images[1, 3, 3] = value
    with pytest.raises(ImageError, match=f"must lie in .*{found}.*Divide by 255"):
        as_images(images, GREY)


def test_an_empty_float_stack_is_taken():
    stack, single = as_images(np.zeros((0, 8, 6)), GREY)
    assert stack.shape == (0, 8, 6, 1)
    assert stack.dtype == np.float32
    assert not single


def test_a_list_of_images_is_a_stack():
    images = pixels(3, 8, 6)
    np.testing.assert_array_equal(as_images(list(images), GREY)[0][..., 0], images)


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("size", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_path_is_read_as_an_image_of_the_models_size(tmp_path, kind, size):
    # An even grey of the same proportions stays even, whatever the size it is brought to.
    Image.fromarray(np.full((24, 18), 90, np.uint8)).save(tmp_path / "even.png")
    stack, single = as_images(kind(tmp_path / "even.png"), size)
    assert single
    assert stack.dtype == np.uint8
    assert stack.shape == (1, *size)
    np.testing.assert_array_equal(stack, 90)


def test_a_file_of_another_shape_is_brought_to_the_models_as_it_says(tmp_path):
    """From dark to bright, twice as wide as the model's: padded it gets black above, cropped it loses its sides."""
    Image.fromarray(np.tile(np.linspace(100, 250, 24).astype(np.uint8), (16, 1))).save(tmp_path / "a.png")
    stacks = {how: as_images(tmp_path / "a.png", GREY, how)[0][0, ..., 0] for how in RESIZES}
    assert (stacks["pad"][0] == 0).all()
    for how in ("crop", "stretch"):
        assert stacks[how].min() >= 100
    np.testing.assert_array_equal(as_images(tmp_path / "a.png", GREY)[0][0, ..., 0], stacks["pad"])
    for how, image in stacks.items():
        np.testing.assert_array_equal(image, load_image(tmp_path / "a.png", *GREY, how)[..., 0])
        several, _ = as_images([tmp_path / "a.png"] * 2, GREY, how)
        np.testing.assert_array_equal(several[..., 0], [image, image])
    assert np.ptp(stacks["crop"]) < np.ptp(stacks["stretch"]) - 50


@pytest.mark.parametrize("how", RESIZES)
def test_pixels_are_never_resized(how):
    np.testing.assert_array_equal(as_images(pixels(8, 6), GREY, how)[0], as_images(pixels(8, 6), GREY)[0])
    with pytest.raises(ImageError, match="to have it brought to that size"):
        as_images(pixels(9, 6), GREY, how)


def test_a_path_to_nothing_or_to_no_image_is_refused(tmp_path):
    (tmp_path / "words.png").write_text("not an image")
    for name in ("nothing.png", "words.png"):
        with pytest.raises(ImageError, match=name):
            as_images(tmp_path / name, GREY)


def test_a_list_of_paths_is_a_stack(tmp_path):
    images = pixels(3, 8, 6)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    for several in (paths, tuple(map(str, paths))):
        stack, single = as_images(several, GREY)
        np.testing.assert_array_equal(stack[..., 0], images)
        assert not single
    assert as_images(paths[:1], GREY)[1] is False


def test_a_list_without_paths_is_taken_as_pixels():
    with pytest.raises(ImageError, match=r"got \(0,\)"):
        as_images([], GREY)
    stack, single = as_images([pixels(8, 6)], GREY)
    assert stack.shape == (1, 8, 6, 1)
    assert not single


@pytest.mark.parametrize(
    ("size", "count"),
    [((8, 8, 1), 512), ((112, 112, 3), 512), ((160, 160, 3), 250), ((512, 512, 1), 24), ((9999, 999, 1), 1)],
)
def test_fewer_large_images_are_embedded_at_once(size, count):
    assert images_at_once(size) == count
    assert count == 1 or count * size[0] * size[1] <= 512 * 112 * 112
