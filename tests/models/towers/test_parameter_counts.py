import pytest

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import TOWERS
from siamese_tf.models.towers.build import build_tower
from siamese_tf.models.towers.parameter_counts import parameter_count

SIZES = {"small_cnn": (57, 60, 3), "small_cnn_v2": (57, 60, 3), "resnet": (8, 8, 1), "reference": (9, 28, 3)}
SIZES |= {"tnn": (18, 19, 1), "hog": (57, 33, 1), "koch": (65, 66, 1), "omniglot": (16, 17, 1)}
LARGE = {"inception_resnet_v1": [(75, 76, 1), (75, 75, 3)], "mobilenet_v2": [(32, 33, 3)], "resnet50": [(33, 32, 3)]}
LARGE |= {"efficientnet_lite0": [(32, 33, 3)], "dlib_face": [(103, 110, 3)]}


def test_every_tower_is_tested():
    assert set(TOWERS) == {*SIZES, *LARGE}


@pytest.mark.parametrize(("tower", "size"), SIZES.items())
def test_the_count_is_that_of_the_row_and_of_the_built_tower(tower, size):
    count = parameter_count(tower, size, 8)
    assert count == load_builder(TOWERS[tower].parameters)(size, 8) == build_tower(tower, size, 8).count_params()


@pytest.mark.slow
@pytest.mark.parametrize(("tower", "size"), [(tower, size) for tower, sizes in LARGE.items() for size in sizes])
def test_so_is_that_of_a_large_tower(tower, size):
    assert build_tower(tower, size, 7).count_params() == parameter_count(tower, size, 7)


@pytest.mark.parametrize("tower", TOWERS)
def test_a_size_that_the_tower_refuses_is_counted_without_an_error(tower):
    assert isinstance(parameter_count(tower, (1, 2048, 3), 4096), int)
