import numpy as np

from siamese_tf.data.images.content_ids import content_ids


def test_equal_images_have_equal_ids_in_order_of_first_appearance():
    a, b = np.zeros((2, 2, 1), np.uint8), np.full((2, 2, 1), 7, np.uint8)
    (ids,) = content_ids(np.stack([b, a, b, a, b]))
    assert ids.tolist() == [0, 1, 0, 1, 0]
    assert ids.dtype == np.int64


def test_ids_are_shared_between_arrays():
    a, b = np.zeros((2, 2, 1), np.uint8), np.full((2, 2, 1), 7, np.uint8)
    first, second = content_ids(np.stack([a, b]), np.stack([b, a, b + 1]))
    assert first.tolist() == [0, 1]
    assert second.tolist() == [1, 0, 2]


def test_equal_bytes_of_different_shapes_have_different_ids():
    wide, tall = np.zeros((1, 1, 4, 1), np.uint8), np.zeros((1, 4, 1, 1), np.uint8)
    first, second = content_ids(wide, tall)
    assert first[0] != second[0]


def test_memory_layout_does_not_matter():
    images = np.random.default_rng(0).integers(0, 2, (40, 2, 3, 1), np.uint8)
    plain, mirrored_twice = content_ids(images, images[:, ::-1].copy()[:, ::-1])
    assert np.array_equal(plain, mirrored_twice)
    for i in range(40):
        for j in range(40):
            assert (plain[i] == plain[j]) == np.array_equal(images[i], images[j])
