"""Every row is consistent, and names functions that exist."""

import subprocess
import sys

import pytest

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import (
    AUGMENT_LEVELS,
    AUGMENTATIONS,
    CUSTOM,
    CUSTOM_DEFAULTS,
    DATASETS,
    HEADS,
    MINING,
    OBJECTIVES,
    OTHER_DATASETS,
    TOWERS,
    VIEWS,
    tower_defaults,
)
from siamese_tf.config.train_config import TrainConfig

ROWS = [*TOWERS.values(), *HEADS.values(), *OBJECTIVES.values(), *VIEWS.values(), *AUGMENTATIONS.values()]
BUILDERS = {value for row in ROWS for value in vars(row).values() if isinstance(value, str) and ":" in value}


def test_the_names_are_those_that_files_and_flags_use():
    assert list(TOWERS) == [
        *("small_cnn", "small_cnn_v2", "resnet", "reference", "tnn", "hog", "koch", "omniglot"),
        *("inception_resnet_v1", "mobilenet_v2", "resnet50", "efficientnet_lite0", "dlib_face"),
    ]
    assert list(HEADS) == ["cosine", "euclidean", "concat", "weighted_l1"]
    assert list(OBJECTIVES) == ["bce", "mse", "contrastive", "triplet", "episode"]
    assert list(MINING) == ["semi-hard", "hard", "all"]
    assert list(VIEWS) == ["one", "mirror", "turn", "shift", "affine"]
    assert list(AUGMENTATIONS) == ["flip", "vflip", "color", "affine", "warp", "elastic", "shift", "erase"]
    assert AUGMENT_LEVELS == ("auto", "light", "strong")


def test_importing_the_catalog_loads_no_tensorflow():
    script = "import sys, siamese_tf.config.catalog; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_a_named_function_exists(name):
    assert callable(load_builder(name))


def test_every_row_names_a_function():
    assert len(BUILDERS) >= len(ROWS)


@pytest.mark.parametrize("name", [*TOWERS, CUSTOM])
def test_the_defaults_of_a_tower_are_valid_settings(name):
    defaults = tower_defaults(name)
    assert TrainConfig(embedding_dim=defaults.embedding_dim, learning_rate=defaults.learning_rate)
    assert defaults.learning_rate < 0.1


def test_a_custom_tower_has_defaults_and_no_row():
    assert CUSTOM == "custom"
    assert CUSTOM not in TOWERS
    assert tower_defaults(CUSTOM) is CUSTOM_DEFAULTS


@pytest.mark.parametrize("row", OBJECTIVES.values(), ids=OBJECTIVES)
def test_an_objective_fits_its_heads_and_settings(row):
    assert row.head in row.heads
    assert set(row.heads) <= set(HEADS)
    assert set(row.margins) in (set(), set(row.heads))
    assert set(row.settings) <= set(TrainConfig().to_dict())
    assert row.margins or not row.soft_margin
    if row.reads == "embeddings":
        assert all(HEADS[head].normalizes for head in row.heads)


def test_only_clothing_is_mirrored_by_default():
    flips = {name for name, row in DATASETS.items() if any("flip" in text.split("-") for text in row.augment.values())}
    assert flips == {"fashion-mnist"}
    assert not any("flip" in text for text in OTHER_DATASETS.augment.values())


@pytest.mark.parametrize("row", [*DATASETS.values(), OTHER_DATASETS], ids=[*DATASETS, "others"])
def test_the_augmentations_of_a_data_set_are_in_the_catalog(row):
    assert tuple(row.augment) == AUGMENT_LEVELS
    for text in row.augment.values():
        assert set(text.split("-")) <= set(AUGMENTATIONS)


def test_a_view_is_taught_by_an_augmentation_of_the_catalog():
    assert {row.taught_by for row in VIEWS.values()} - {None} <= set(AUGMENTATIONS)
