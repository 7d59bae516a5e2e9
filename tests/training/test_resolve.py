from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config.catalog import MINING, TOWERS, VIEWS
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training import resolve
from siamese_tf.training.resolve import resolve_config

TRIPLETS = TrainConfig(objective="triplet", losses="native")
CLOTHING = "fashion-mnist"


@pytest.fixture(scope="module")
def pairs(run_of):
    """Four images of 28x28, with one similar and one dissimilar pair each for training and validation."""
    file = PairDataset(
        images=np.zeros((4, 28, 28, 1), np.uint8),
        labels=np.array([0, 0, 1, 1]),
        img1=np.array([0, 0, 2, 1], np.int32),
        img2=np.array([1, 2, 3, 3], np.int32),
        similarity=np.array([1, 0, 1, 0], np.uint8),
        split=np.array([0, 0, 1, 1], np.uint8),
        path=Path("train_pairs.npz"),
    )
    return lambda dataset="mnist": run_of(file, dataset=dataset)


def many_classes(count, images=6):
    """A pair data set of `count` classes with `images` training images each, and a few for validation."""
    labels = np.concatenate([np.arange(count).repeat(images), [0, 0, 1]])
    first = np.arange(len(labels) - 4)
    last = len(labels) - 3 + np.array([0, 0])
    img1, img2 = np.concatenate([first, last]), np.concatenate([first + 1, last + [1, 2]])
    return PairDataset(
        images=np.zeros((len(labels), 8, 8, 1), np.uint8),
        labels=labels,
        img1=img1.astype(np.int32),
        img2=img2.astype(np.int32),
        similarity=(labels[img1] == labels[img2]).astype(np.uint8),
        split=np.repeat(np.array([TRAIN, VALIDATION], np.uint8), [len(first), 2]),
    )


def custom_tower():
    return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])


def test_the_reference_tower_has_the_defaults_of_the_original(pairs):
    config = TrainConfig(tower="reference", head="concat", pairs_per_step="listed", epochs=40, batch_pairs=1024)
    resolved = resolve_config(config, pairs(), None)
    assert (resolved.embedding_dim, resolved.learning_rate, resolved.augment) == (32, 1e-3, "none")
    model = SiameseModel((28, 28, 1), resolved.tower, resolved.embedding_dim, resolved.head)
    assert model.tower.count_params() == 75_008
    assert model.head.layers[0].kernel.shape == (64, 16)


@pytest.mark.parametrize("tower", TOWERS)
def test_explicit_settings_stay(pairs, tower):
    asked = TrainConfig(
        tower=tower,
        embedding_dim=7,
        learning_rate=0.5,
        augment="flip",
        epochs=3,
        head="concat",
        margin=2.0,
        whiten=False,
        precision="float32",
    )
    assert resolve_config(asked, pairs(), None) == replace(asked, dataset="mnist")
    assert resolve_config(replace(asked, images_shown=1), pairs(), None).epochs == 3


def test_hog_is_whitened_where_the_classes_are_known(pairs, toy_pairs, run_of):
    assert [name for name in TOWERS if resolve_config(TrainConfig(tower=name), pairs(), None).whiten] == ["hog"]
    assert resolve_config(TrainConfig(tower="hog", head="concat"), pairs(), None).whiten is False
    listed = TrainConfig(tower="hog", pairs_per_step="listed")
    unlabeled = run_of(replace(toy_pairs, labels=None))
    assert resolve_config(listed, unlabeled, None).whiten is False
    with pytest.raises(PairFileError, match="must have labels for whiten; it has none. Leave whiten out"):
        resolve_config(replace(listed, whiten=True), unlabeled, None)


def test_open_settings_get_their_defaults(toy_pairs, run_of):
    resolved = resolve_config(TrainConfig(batch_pairs=32), run_of(toy_pairs), None)
    assert (resolved.dataset, resolved.head, resolved.margin, resolved.augment) == ("toys", "cosine", 0.5, "shift")
    euclidean = resolve_config(TrainConfig(head="euclidean"), run_of(toy_pairs), None)
    assert (euclidean.head, euclidean.margin) == ("euclidean", 1.0)  # the same angle as 0.5 of the cosine distance
    assert (resolved.losses, resolved.classes_per_batch, resolved.images_per_class) == (
        None,
        None,
        None,
    )  # triplets only
    bce = resolve_config(TrainConfig(objective="bce"), run_of(toy_pairs), None)
    assert (bce.head, bce.margin) == ("cosine", None)
    assert resolve_config(resolved, run_of(toy_pairs), None) == resolved


@pytest.mark.parametrize("dataset", ["mnist", "digits", "mine"])
@pytest.mark.parametrize("asked", ["auto", "light", "strong"])
def test_only_clothing_is_mirrored_by_default_and_the_views_follow_the_augmentation(pairs, dataset, asked):
    """Mirrored digits are not digits, and other data sets are unknown."""
    resolved = {
        name: resolve_config(TrainConfig(augment=asked, views="auto"), pairs(name), None)
        for name in (dataset, CLOTHING)
    }
    assert {name: "flip" in config.augment for name, config in resolved.items()} == {dataset: False, CLOTHING: True}
    turned = "one" if asked == "auto" else "turn"
    assert {name: config.views for name, config in resolved.items()} == {dataset: turned, CLOTHING: "mirror"}
    assert {"auto": "shift", "light": "affine", "strong": "shift"}[asked] in resolved[dataset].augment
    for config in resolved.values():
        assert TrainConfig(**config.to_dict()) == config


@pytest.mark.parametrize("dataset", ["mnist", "digits", CLOTHING, "mine"])
def test_strong_adds_augmentations_to_auto_and_erases(pairs, dataset):
    auto, strong = (
        set(resolve_config(TrainConfig(augment=asked), pairs(dataset), None).augment.split("-"))
        for asked in ("auto", "strong")
    )
    assert auto < strong
    assert "erase" in strong - auto


def test_one_class_of_clothing_against_the_rest_is_clothing(quarters, run_of):
    config = TrainConfig(one_vs_rest="2", batch_pairs=8)
    assert resolve_config(config, run_of(quarters, config, CLOTHING), None).augment == "flip"


@pytest.mark.parametrize("augment", ["none", "flip", "erase-affine"])
def test_explicit_augmentations_and_views_stay_for_every_data_set(pairs, augment):
    for dataset in ("mnist", CLOTHING):
        for views in VIEWS:
            resolved = resolve_config(TrainConfig(augment=augment, views=views), pairs(dataset), None)
            assert (resolved.augment, resolved.views) == (augment, views)
        taught = {"none": "one", "flip": "mirror", "erase-affine": "turn"}[augment]
        assert resolve_config(TrainConfig(augment=augment, views="auto"), pairs(dataset), None).views == taught


def test_the_reference_tower_has_no_augmentation_by_default(pairs):
    for asked, resolved in (("auto", "none"), ("light", "flip"), ("shift", "shift"), ("strong", "flip-shift-erase")):
        assert resolve_config(TrainConfig(tower="reference", augment=asked), pairs(CLOTHING), None).augment == resolved


def test_auto_becomes_the_data_set_and_a_folder_stays(pairs):
    assert resolve_config(TrainConfig(dataset="auto"), pairs("digits"), None).dataset == "digits"
    assert resolve_config(TrainConfig(dataset="my/cats"), pairs("cats"), None).dataset == "my/cats"


def test_a_custom_tower_must_be_passed(pairs):
    assert resolve_config(TrainConfig(tower="reference"), pairs(), custom_tower()).tower == "custom"
    with pytest.raises(ConfigError, match=r"must be passed in Python. Use train_and_evaluate\(config, tower=\.\.\.\)"):
        resolve_config(TrainConfig(tower="custom"), pairs(), None)


def test_a_custom_tower_has_its_own_precision(pairs):
    config = TrainConfig(precision="bfloat16")
    assert resolve_config(config, pairs(), None).precision == "bfloat16"
    with pytest.raises(ConfigError, match="precision must be left out with a custom tower, .*; got 'bfloat16'"):
        resolve_config(config, pairs(), custom_tower())


def test_a_custom_tower_has_its_own_weights(pairs):
    config = TrainConfig(start_from="earlier.keras")
    assert resolve_config(config, pairs(), None).start_from == "earlier.keras"
    with pytest.raises(
        ConfigError, match="start_from must be left out with a custom tower; got 'earlier.keras'. Load the weights"
    ):
        resolve_config(config, pairs(), custom_tower())


def test_a_frozen_tower_is_refused(pairs):
    tower = custom_tower()
    tower.trainable = False
    with pytest.raises(ConfigError, match="must have trainable weights"):
        resolve_config(TrainConfig(), pairs(), tower)


# Triplets.


@pytest.mark.parametrize(
    ("mining", "classes", "expected"),
    [
        ("semi-hard", 10, (10, 12)),  # 128 images
        ("semi-hard", 16, (16, 8)),
        ("semi-hard", 40, (16, 8)),
        ("all", 3, (3, 42)),
        ("all", 10, (8, 16)),
        ("all", 40, (8, 16)),
        ("hard", 10, (10, 4)),
        ("hard", 40, (32, 4)),
        ("hard", 3, (3, 10)),  # a quarter of 42
    ],
)
def test_the_default_shape_of_a_batch_of_classes(run_of, mining, classes, expected):
    resolved = resolve_config(replace(TRIPLETS, mining=mining), run_of(many_classes(classes)), None)
    assert (resolved.classes_per_batch, resolved.images_per_class) == expected


def test_one_class_against_the_rest_is_two_classes(quarters, run_of):
    for mining, images in (("semi-hard", 64), ("all", 64), ("hard", 16)):
        config = replace(TRIPLETS, mining=mining, one_vs_rest="1")
        resolved = resolve_config(config, run_of(quarters, config), None)
        assert (resolved.classes_per_batch, resolved.images_per_class) == (2, images)
        assert (resolved.dataset, resolved.one_vs_rest) == ("toys", "1")


def test_the_number_of_classes_is_that_of_the_training_images(quarters, run_of):
    """A class of test images alone cannot be drawn for training."""
    labels = quarters.labels.copy()
    labels[quarters.images_of(TEST)] += 4
    assert resolve_config(TRIPLETS, run_of(replace(quarters, labels=labels)), None).classes_per_batch == 4


def test_an_explicit_shape_of_a_batch_stays(run_of):
    run = run_of(many_classes(20))
    asked = replace(TRIPLETS, classes_per_batch=5, images_per_class=3)
    for mining in MINING:
        resolved = resolve_config(replace(asked, mining=mining), run, None)
        assert (resolved.classes_per_batch, resolved.images_per_class) == (5, 3)
    assert resolve_config(replace(TRIPLETS, classes_per_batch=5, batch_pairs=64), run, None).images_per_class == 12
    assert resolve_config(replace(TRIPLETS, classes_per_batch=20, batch_pairs=10), run, None).images_per_class == 2
    assert resolve_config(replace(TRIPLETS, images_per_class=3), run, None).classes_per_batch == 16


def test_open_settings_of_triplets_get_their_defaults(quarters, run_of):
    run = run_of(quarters)
    resolved = resolve_config(TRIPLETS, run, None)
    assert (resolved.head, resolved.margin, resolved.losses) == ("euclidean", 0.5, "native")
    assert resolved.batch_shape == (4, 32)  # an epoch is one step: there are 63 images
    assert resolved.epochs == -(-resolved.images_shown // 128) == 1641
    assert resolve_config(resolved, run, None) == resolved
    assert resolve_config(replace(TRIPLETS, epochs=3, margin="soft", head="cosine"), run, None) == replace(
        resolved, epochs=3, margin="soft", head="cosine"
    )


def test_the_implementation_of_the_loss_is_resolved(quarters, run_of, monkeypatch):
    """By `losses_from`, here one that chooses Addons for hard mining only."""
    monkeypatch.setattr(
        "siamese_tf.training.resolve.losses_from", lambda config: "addons" if config.mining == "hard" else "native"
    )
    for mining, expected in (("hard", "addons"), ("all", "native")):
        assert resolve_config(replace(TRIPLETS, losses=None, mining=mining), run_of(quarters), None).losses == expected


@pytest.mark.parametrize("mining", MINING)
def test_more_classes_than_there_are_are_refused(quarters, run_of, mining):
    config = replace(TRIPLETS, mining=mining, classes_per_batch=5)
    with pytest.raises(ConfigError, match="classes_per_batch must be at most 4, .*; got 5. Lower it"):
        resolve_config(config, run_of(quarters), None)
    config = replace(config, classes_per_batch=3, one_vs_rest="south-east")
    with pytest.raises(ConfigError, match="classes_per_batch must be at most 2, the number of classes; got 3"):
        resolve_config(config, run_of(quarters, config), None)


def test_pairs_of_one_class_and_the_rest(quarters, run_of):
    """With all pairs of a batch, an epoch is one pass over the images; with listed ones, over the pairs."""
    config = TrainConfig(one_vs_rest="2", batch_pairs=10, images_shown=1000)
    run = run_of(quarters, config)
    resolved = resolve_config(config, run, None)
    assert (resolved.batch_shape, resolved.classes_per_batch) == ((2, 10), None)
    assert resolved.epochs == 17  # 63 images make three batches of 20: 60 an epoch
    listed = resolve_config(replace(config, pairs_per_step="listed"), run, None)
    steps = len(run.task.train.rows(TRAIN)) // 10
    assert listed.epochs == -(-1000 // (20 * steps))
    with pytest.raises(ConfigError, match="at least 2 images per class.*; got 2 classes with 1 images each"):
        resolve_config(replace(config, batch_pairs=1), run, None)


# Pairs that do not fit the config.


@pytest.mark.parametrize(("split", "name"), [(TRAIN, "training"), (VALIDATION, "validation"), (TEST, "test")])
def test_every_split_needs_similar_and_dissimilar_pairs(toy_pairs, run_of, split, name):
    """Otherwise a run would fail after its last epoch."""
    rows = toy_pairs.rows(split)
    without = replace(toy_pairs, split=np.where(toy_pairs.split == split, (split + 1) % 3, toy_pairs.split))
    run = run_of(toy_pairs)
    alike = replace(toy_pairs, similarity=toy_pairs.similarity.copy())
    alike.similarity[rows] = 1
    for pairs, words in (
        (
            without,
            rf"^the pairs must have {name} pairs \(split {split}\); it has none\. Generate a file with",
        ),
        (alike, rf"the {name} pairs \(split {split}\) of the pairs must have similarities 0 and 1; all have 1"),
    ):
        task = replace(run.task, train=pairs, test=pairs)
        with pytest.raises(PairFileError, match=words):
            resolve_config(TrainConfig(pairs_per_step="listed"), replace(run, original=task, task=task), None)


def test_all_pairs_and_triplets_need_labels(toy_pairs, run_of):
    bare = run_of(replace(toy_pairs, labels=None, path="bare.npz"))
    with pytest.raises(
        PairFileError, match=r"bare\.npz must have labels for pairs_per_step 'all'; .* Use --pairs-per-step listed"
    ):
        resolve_config(TrainConfig(), bare, None)
    assert resolve_config(TrainConfig(pairs_per_step="listed"), bare, None).pairs_per_step == "listed"
    with pytest.raises(PairFileError, match=r"bare\.npz must have labels for the objective triplet; it has none"):
        resolve_config(TRIPLETS, bare, None)


def test_training_without_validation_needs_fixed_epochs(quarters, run_of):
    train_only = replace(quarters, split=np.zeros_like(quarters.split))
    assert resolve_config(TrainConfig(epochs=2), run_of(train_only), None).epochs == 2
    for config in (TrainConfig(), TrainConfig(epochs=2, schedule="plateau")):
        with pytest.raises(PairFileError, match="must have validation pairs .* or, to train without validation"):
            resolve_config(config, run_of(train_only), None)


def test_batches_within_groups_need_groups_and_rotations_square_images(quarters, run_of):
    within = TrainConfig(objective="episode", batch_within="group", classes_per_batch=2)
    with pytest.raises(PairFileError, match="must have groups for batch_within 'group'; it has none. Use images in FO"):
        resolve_config(within, run_of(quarters), None)
    grouped = replace(quarters, groups=quarters.labels // 2)
    resolved = resolve_config(within, run_of(grouped), None)
    assert (resolved.parts_per_batch, resolved.batch_shape) == (2, (2, 4))
    assert resolve_config(resolved, run_of(grouped), None) == resolved
    wide = replace(quarters, images=quarters.images[:, :, :-1])
    with pytest.raises(ConfigError, match="must be square for classes_from 'rotations'; got .* Use --image-size"):
        resolve_config(TrainConfig(classes_from="rotations"), run_of(wide), None)


@pytest.mark.parametrize("fast", ["float32", "bfloat16"])
def test_an_automatic_precision_is_that_of_the_processor(pairs, monkeypatch, fast):
    monkeypatch.setattr(resolve, "fast_precision", lambda gpus: fast)
    assert resolve_config(TrainConfig(), pairs(), None).precision == fast
    assert resolve_config(TrainConfig(), pairs(), custom_tower()).precision == "float32"
    for given in ("float32", "bfloat16"):
        assert resolve_config(TrainConfig(precision=given), pairs(), None).precision == given
