import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow import keras

from siamese_tf.data.images.decode import load_image
from siamese_tf.data.images.format import RESIZES
from siamese_tf.errors import ImageError
from siamese_tf.models import inputs
from siamese_tf.models.inputs import as_images, as_pair, images_at_once

GREY, COLOR = (8, 6, 1), (8, 6, 3)


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
        ((8, 6, 3), COLOR, 1, True),
        ((5, 8, 6, 3), COLOR, 5, False),
        ((0, 8, 6, 3), COLOR, 0, False),
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
        ((8, 6), COLOR),
        ((8, 6, 1), COLOR),
        ((5, 8, 6), COLOR),
        ((3, 8, 6), COLOR),  # channels first
        ((5, 8, 6, 4), COLOR),
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


@pytest.mark.parametrize(
    ("value", "found"),
    [(255.0, "to 255"), (1.002, "to 1.002"), (-0.5, "from -0.5"), (np.nan, "nan"), (np.inf, "to inf")],
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
@pytest.mark.parametrize("size", [GREY, COLOR], ids=["grey", "colour"])
def test_a_path_is_read_as_an_image_of_the_models_size(tmp_path, kind, size):
    # An even grey of the same proportions stays even, whatever the size it is brought to.
    Image.fromarray(np.full((24, 18), 90, np.uint8)).save(tmp_path / "even.png")
    stack, single = as_images(kind(tmp_path / "even.png"), size)
    assert single
    assert stack.dtype == np.uint8
    assert stack.shape == (1, *size)
    np.testing.assert_array_equal(stack, 90)


def test_a_file_of_another_shape_is_brought_to_the_models_as_it_says(tmp_path):
    """The image is a gradient, twice as wide as the input: padding adds black above, cropping removes the sides."""
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
    with pytest.raises(ImageError, match="to have it resized"):
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


@pytest.mark.parametrize("kind", ["path", "bytes", "open file", "lazy Pillow image"])
def test_one_source_many_times_gives_the_same_pixels_each_time(tmp_path, kind):
    image, path = pixels(300, 300), tmp_path / "a.png"
    Image.fromarray(image).save(path)
    with open(path, "rb") as file, Image.open(path) as lazy:
        source = {"path": path, "bytes": path.read_bytes(), "open file": file, "lazy Pillow image": lazy}[kind]
        stack, _ = as_images([source] * 40, (300, 300, 1))
    np.testing.assert_array_equal(stack[..., 0], np.broadcast_to(image, (40, 300, 300)))


def test_files_are_decoded_in_threads_and_other_sources_in_this_one(tmp_path, monkeypatch):
    used = set()
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(inputs, "load_image", lambda *_: used.add(threading.get_ident()) or pixels(*GREY))
    Image.fromarray(pixels(8, 6)).save(tmp_path / "a.png")
    as_images([tmp_path / "a.png"] * 40, GREY)
    assert threading.get_ident() not in used
    used.clear()
    as_images([Image.fromarray(pixels(8, 6))] * 40, GREY)
    assert used == {threading.get_ident()}


def test_a_list_of_one_array_is_a_stack():
    stack, single = as_images([pixels(8, 6)], GREY)
    assert stack.shape == (1, 8, 6, 1)
    assert not single


@pytest.mark.parametrize("none", [[], (), iter(()), np.array([]), np.array([], object), np.zeros((0, 8, 6), np.uint8)])
def test_no_images_are_an_empty_stack(none):
    stack, single = as_images(none, GREY)
    assert stack.shape == (0, 8, 6, 1)
    assert not single


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (None, "NoneType"),
        (3, "int"),
        (0.5, "float"),
        ({"a.png": 1}, "dict"),
        ({"a.png"}, "set"),
        (object(), "object"),
        (np.uint8(3), "a single uint8"),
        (np.array([["a.png"]]), r"an array of <U5 with the shape \(1, 1\)"),
        (np.array("a.png"), "an array of <U5"),
        (np.zeros((8, 6), object), "an array of object"),
    ],
)
def test_what_can_be_no_images_is_refused_by_its_type(images, found):
    with pytest.raises(ImageError, match=f"images must be an image file .* or another iterable of these; got {found}"):
        as_images(images, GREY)


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (None, "got NoneType"),
        (float("nan"), "got float"),  # a gap in a column of pandas
        ({}, "got dict"),
        (pixels(8, 7), r"got \(8, 7\)"),
        (pixels(2, 8, 6), r"must be a single image; got a stack, \(2, 8, 6\)"),
        (pixels(8, 6) * 1.0, "must lie in"),
        (np.zeros((8, 6), complex), "got the dtype complex"),
        ([[1, 2], [3]], "which NumPy cannot convert to an array"),
        (np.zeros((8, 6), object), "got the dtype object"),
        (b"no image", "bytes of length 8: must be one of PNG"),
        (Image.new("F", (3, 3)), "32-bit"),
    ],
)
def test_of_several_the_one_that_cannot_be_read_is_named(item, found):
    for others in ([pixels(8, 6)] * 2, [Image.fromarray(pixels(8, 6))] * 2, [pixels(8, 6) / 255, pixels(8, 6)]):
        for several in ([*others, item], iter([*others, item])):
            with pytest.raises(ImageError, match=r"images\[2\]") as caught:
                as_images(several, GREY)
            caught.match(found)


def test_of_several_files_the_one_that_cannot_be_read_is_named(tmp_path):
    Image.fromarray(pixels(8, 6)).save(tmp_path / "a.png")
    with pytest.raises(
        ImageError, match=rf"^{tmp_path / 'b.png'}: must be an image file; got a path that does not exist"
    ):
        as_images([tmp_path / "a.png", tmp_path / "b.png"], GREY)


def test_images_of_several_sizes_are_brought_to_one_as_files_and_refused_as_arrays():
    large, fitting = pixels(16, 12), pixels(8, 6)
    stack, _ = as_images([Image.fromarray(large), Image.fromarray(fitting)], GREY)
    np.testing.assert_array_equal(stack[0], load_image(Image.fromarray(large), *GREY))
    with pytest.raises(ImageError, match=r"images\[0\]: .*got \(16, 12\)\. .*PIL.Image.fromarray.*load_image"):
        as_images([large, fitting], GREY)


def test_each_of_several_keeps_the_range_of_its_own_dtype():
    """A nearly black uint8 image is combined with a float image: 1 becomes 1/255."""
    dark, half, mask = np.ones((8, 6), np.uint8), np.full((8, 6), 0.5), np.ones((8, 6), bool)
    stack, _ = as_images([dark, half, mask, dark.astype(int)], GREY)
    assert stack.dtype == np.float32
    np.testing.assert_allclose(stack[:, 0, 0, 0], [1 / 255, 0.5, 1, 1 / 255])
    stack, _ = as_images([dark, mask, dark.astype(int)], GREY)
    assert stack.dtype == np.uint8
    assert stack[:, 0, 0, 0].tolist() == [1, 255, 1]


def test_nested_lists_of_numbers_are_pixels():
    images = pixels(3, 8, 6)
    np.testing.assert_array_equal(as_images(images.tolist(), GREY)[0][..., 0], images)
    assert as_images(images[0].tolist(), GREY)[1] is True
    np.testing.assert_array_equal(as_images([images[0], images[1].tolist()], GREY)[0][..., 0], images[:2])


def test_symbolic_tensors_are_refused_by_their_type():
    with pytest.raises(ImageError, match="got KerasTensor, which NumPy cannot convert to an array"):
        as_images(keras.Input((8, 6, 1)), GREY)
    found = []

    @tf.function
    def graph(images):
        with pytest.raises(ImageError, match="which NumPy cannot convert to an array") as caught:
            as_images(images, GREY)
        found.append(caught)
        return images

    graph(tf.zeros((2, 8, 6, 1)))
    assert found


def test_a_pair_is_two_equally_long_stacks(tmp_path):
    Image.fromarray(pixels(8, 6)).save(tmp_path / "a.png")
    first, second = as_pair((tmp_path / "a.png", pixels(8, 6)), GREY, "pad")
    np.testing.assert_array_equal(first, second)
    with pytest.raises(ImageError, match="same length, one pair per row; got 2 and 3 images"):
        as_pair((pixels(2, 8, 6), pixels(3, 8, 6)), GREY, "pad")
    with pytest.raises(ImageError, match="a pair of stacks.*; got 3"):
        as_pair([pixels(2, 8, 6)] * 3, GREY, "pad")


@pytest.mark.parametrize("size", [GREY, COLOR], ids=["grey", "colour"])
@pytest.mark.parametrize("kind", [np.asarray, tf.constant])
def test_a_pair_can_be_one_array(kind, size):
    both = pixels(2, 5, *size)
    for given, expected in zip(as_pair(kind(both), size, "pad"), both, strict=True):
        np.testing.assert_array_equal(given, expected)
    with pytest.raises(ImageError, match="images must be a pair of stacks, .*; got 3 stacks"):
        as_pair(kind(pixels(3, 5, *size)), size, "pad")
    with pytest.raises(ImageError, match="images must be a pair of stacks"):
        as_pair(kind(pixels(2, *size)), size, "pad")


@pytest.mark.parametrize(
    ("size", "count"),
    [((8, 8, 1), 512), ((28, 28, 1), 512), ((112, 112, 3), 64), ((160, 160, 3), 31), ((9999, 999, 1), 1)],
)
def test_fewer_large_images_are_embedded_at_once(size, count):
    assert images_at_once(size) == count
    assert count == 1 or count * size[0] * size[1] <= 64 * 112 * 112
