import pytest

from siamese_tf.models.towers.build import TOWERS
from siamese_tf.models.towers.parameter_counts import COUNTS, parameter_count

SIZES = {
    "small_cnn": [(8, 9, 1), (57, 60, 3)],
    "resnet": [(8, 8, 1), (60, 64, 3)],
    "reference": [(6, 7, 1), (9, 28, 3)],
    "tnn": [(18, 19, 1), (29, 40, 3)],
    "hog": [(8, 9, 1), (57, 33, 1), (112, 92, 3)],
    "koch": [(65, 66, 1)],
}
LARGE = {"inception_resnet_v1": [(75, 76, 1), (75, 75, 3)], "mobilenet_v2": [(32, 33, 3)], "resnet50": [(33, 32, 3)]}


def test_every_tower_has_a_count():
    assert set(COUNTS) == set(TOWERS) == {*SIZES, *LARGE}


@pytest.mark.parametrize(("tower", "size"), [(tower, size) for tower, sizes in SIZES.items() for size in sizes])
def test_a_tower_has_the_parameters_that_are_counted_without_it(tower, size):
    for dimensions in (1, 7):
        assert TOWERS[tower](size, dimensions).count_params() == parameter_count(tower, size, dimensions)


@pytest.mark.slow
@pytest.mark.parametrize(("tower", "size"), [(tower, size) for tower, sizes in LARGE.items() for size in sizes])
def test_so_does_a_large_one(tower, size):
    assert TOWERS[tower](size, 7).count_params() == parameter_count(tower, size, 7)


def test_a_size_that_no_tower_takes_is_counted_without_an_error():
    for tower in TOWERS:
        assert isinstance(parameter_count(tower, (1, 2048, 3), 4096), int)
