from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config import MINING_NAMES, TrainConfig
from siamese_tf.data.pair_file import TEST, TRAIN, VALIDATION, PairFile
from siamese_tf.errors import ConfigError, PairFileError
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.tower_defaults import TOWER_NAMES
from siamese_tf.training.settle import settle

TRIPLETS = TrainConfig(objective="triplet", losses="native")
CLOTHING = "fashion-mnist"


@pytest.fixture(scope="module")
def pairs(run_of):
    """Of a data set: four images of 28x28 and, in training as in validation, one pair of each kind."""
    file = PairFile(
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
    """So many classes with so many training images each, and a few for validation."""
    labels = np.concatenate([np.arange(count).repeat(images), [0, 0, 1]])
    first = np.arange(len(labels) - 4)
    last = len(labels) - 3 + np.array([0, 0])
    img1, img2 = np.concatenate([first, last]), np.concatenate([first + 1, last + [1, 2]])
    return PairFile(
        images=np.zeros((len(labels), 8, 8, 1), np.uint8),
        labels=labels,
        img1=img1.astype(np.int32),
        img2=img2.astype(np.int32),
        similarity=(labels[img1] == labels[img2]).astype(np.uint8),
        split=np.repeat(np.array([TRAIN, VALIDATION], np.uint8), [len(first), 2]),
    )


def own_tower():
    return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])


def test_the_reference_set_up_needs_no_more_flags_than_the_issue_names(pairs):
    config = TrainConfig(tower="reference", head="concat", pairs_per_step="listed", epochs=40, batch_pairs=1024)
    settled = settle(config, pairs(), None)
    assert (settled.embedding_dim, settled.learning_rate, settled.augment) == (32, 1e-3, "none")
    model = SiameseModel((28, 28, 1), settled.tower, settled.embedding_dim, settled.head)
    assert model.tower.count_params() == 75_008
    assert model.head.layers[0].kernel.shape == (64, 16)


@pytest.mark.parametrize("tower", TOWER_NAMES)
def test_what_was_asked_for_stays(pairs, tower):
    asked = TrainConfig(
        tower=tower,
        embedding_dim=7,
        learning_rate=0.5,
        augment="flip",
        epochs=3,
        head="concat",
        margin=2.0,
        whiten=False,
    )
    assert settle(asked, pairs(), None) == replace(asked, dataset="mnist")
    assert settle(replace(asked, images_shown=1), pairs(), None).epochs == 3


def test_hog_is_whitened_where_the_classes_are_known(pairs, toy_pairs, run_of):
    assert [name for name in TOWER_NAMES if settle(TrainConfig(tower=name), pairs(), None).whiten] == ["hog"]
    assert settle(TrainConfig(tower="hog", head="concat"), pairs(), None).whiten is False
    listed = TrainConfig(tower="hog", pairs_per_step="listed")
    unlabelled = run_of(replace(toy_pairs, labels=None))
    assert settle(listed, unlabelled, None).whiten is False
    with pytest.raises(PairFileError, match="has no labels, and whiten needs the classes .* Leave whiten out"):
        settle(replace(listed, whiten=True), unlabelled, None)


def test_what_is_left_open_is_settled(toy_pairs, run_of):
    settled = settle(TrainConfig(batch_pairs=32), run_of(toy_pairs), None)
    assert (settled.dataset, settled.head, settled.margin, settled.augment) == ("toys", "cosine", 0.5, "shift")
    euclidean = settle(TrainConfig(head="euclidean"), run_of(toy_pairs), None)
    assert (euclidean.head, euclidean.margin) == ("euclidean", 1.0)  # the same angle as 0.5 of the cosine distance
    assert (settled.losses, settled.classes_per_batch, settled.images_per_class) == (None, None, None)  # triplets only
    bce = settle(TrainConfig(objective="bce"), run_of(toy_pairs), None)
    assert (bce.head, bce.margin) == ("cosine", None)
    assert settle(settled, run_of(toy_pairs), None) == settled


@pytest.mark.parametrize(
    ("batch_pairs", "per_epoch"),
    [(32, 128), (10, 140), (1000, 140)],  # of 70 pairs: 2 steps of 64 images, 7 of 20, one of all 140
)
def test_pairs_are_gone_through_until_so_many_images_are_shown(toy_pairs, run_of, batch_pairs, per_epoch):
    for images_shown, epochs in ((1, 1), (per_epoch, 1), (per_epoch + 1, 2), (1000, -(-1000 // per_epoch))):
        config = TrainConfig(batch_pairs=batch_pairs, images_shown=images_shown)
        assert settle(config, run_of(toy_pairs), None).epochs == epochs
        assert settle(replace(config, epochs=5), run_of(toy_pairs), None).epochs == 5  # what was asked goes before


@pytest.mark.parametrize("dataset", ["mnist", "digits", "mine"])
@pytest.mark.parametrize("asked", ["auto", "light", "strong"])
def test_only_clothing_is_mirrored_unasked_and_looked_at_as_it_was_shown(pairs, dataset, asked):
    """Mirrored digits are not digits, and of other data nothing is known."""
    settled = {
        name: settle(TrainConfig(augment=asked, views="auto"), pairs(name), None) for name in (dataset, CLOTHING)
    }
    assert {name: "flip" in config.augment for name, config in settled.items()} == {dataset: False, CLOTHING: True}
    turned = "one" if asked == "auto" else "turn"
    assert {name: config.views for name, config in settled.items()} == {dataset: turned, CLOTHING: "mirror"}
    assert {"auto": "shift", "light": "affine", "strong": "shift"}[asked] in settled[dataset].augment
    for config in settled.values():
        assert TrainConfig(**config.to_dict()) == config  # made of changes there are


@pytest.mark.parametrize("dataset", ["mnist", "digits", CLOTHING, "mine"])
def test_strong_does_more_than_auto_and_erases(pairs, dataset):
    auto, strong = (
        set(settle(TrainConfig(augment=asked), pairs(dataset), None).augment.split("-")) for asked in ("auto", "strong")
    )
    assert auto < strong
    assert "erase" in strong - auto


def test_clothing_is_clothing_where_one_class_is_told_from_the_rest(quarters, run_of):
    config = TrainConfig(one_vs_rest="2", batch_pairs=8)
    assert settle(config, run_of(quarters, config, CLOTHING), None).augment == "flip"


@pytest.mark.parametrize("augment", ["none", "flip", "erase-affine"])
def test_changes_and_views_asked_for_stay_whatever_the_data(pairs, augment):
    for dataset in ("mnist", CLOTHING):
        for views in ("one", "mirror", "turn", "shift"):
            settled = settle(TrainConfig(augment=augment, views=views), pairs(dataset), None)
            assert (settled.augment, settled.views) == (augment, views)
        taught = {"none": "one", "flip": "mirror", "erase-affine": "turn"}[augment]
        assert settle(TrainConfig(augment=augment, views="auto"), pairs(dataset), None).views == taught


def test_the_reference_tower_sees_images_as_they_are_unless_told_otherwise(pairs):
    for asked, settled in (("auto", "none"), ("light", "flip"), ("shift", "shift"), ("strong", "flip-shift-erase")):
        assert settle(TrainConfig(tower="reference", augment=asked), pairs(CLOTHING), None).augment == settled


def test_auto_becomes_the_data_set_and_a_folder_stays_a_folder(pairs):
    assert settle(TrainConfig(dataset="auto"), pairs("digits"), None).dataset == "digits"
    assert settle(TrainConfig(dataset="my/cats"), pairs("cats"), None).dataset == "my/cats"


def test_a_tower_of_ones_own_is_called_custom_and_must_be_given(pairs):
    assert settle(TrainConfig(tower="reference"), pairs(), own_tower()).tower == "custom"
    with pytest.raises(ConfigError, match=r"give in Python: train_and_evaluate\(config, tower=\.\.\.\)"):
        settle(TrainConfig(tower="custom"), pairs(), None)


def test_a_precision_is_for_towers_by_name(pairs):
    config = TrainConfig(precision="bfloat16")
    assert settle(config, pairs(), None).precision == "bfloat16"
    with pytest.raises(ConfigError, match="precision 'bfloat16' is for towers by name; yours brings its own. Leave"):
        settle(config, pairs(), own_tower())


def test_what_to_start_from_is_for_towers_by_name(pairs):
    config = TrainConfig(start_from="earlier.keras")
    assert settle(config, pairs(), None).start_from == "earlier.keras"
    with pytest.raises(ConfigError, match="start_from is for towers by name; give yours the weights it starts with"):
        settle(config, pairs(), own_tower())


def test_a_tower_with_nothing_to_train_is_refused(pairs):
    tower = own_tower()
    tower.trainable = False
    with pytest.raises(ConfigError, match="no trainable weights"):
        settle(TrainConfig(), pairs(), tower)


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
def test_how_many_classes_and_images_a_step_has_unasked(run_of, mining, classes, expected):
    settled = settle(replace(TRIPLETS, mining=mining), run_of(many_classes(classes)), None)
    assert (settled.classes_per_batch, settled.images_per_class) == expected


def test_one_class_against_the_rest_is_two_classes(quarters, run_of):
    for mining, images in (("semi-hard", 64), ("all", 64), ("hard", 16)):
        config = replace(TRIPLETS, mining=mining, one_vs_rest="1")
        settled = settle(config, run_of(quarters, config), None)
        assert (settled.classes_per_batch, settled.images_per_class) == (2, images)
        assert (settled.dataset, settled.one_vs_rest) == ("toys", "1")


def test_the_number_of_classes_is_that_of_the_training_images(quarters, run_of):
    """A class that only test images are of is none that a step could draw."""
    labels = quarters.labels.copy()
    labels[quarters.images_of(TEST)] += 4
    assert settle(TRIPLETS, run_of(replace(quarters, labels=labels)), None).classes_per_batch == 4


def test_what_was_asked_of_a_step_stays(run_of):
    run = run_of(many_classes(20))
    asked = replace(TRIPLETS, classes_per_batch=5, images_per_class=3)
    for mining in MINING_NAMES:
        settled = settle(replace(asked, mining=mining), run, None)
        assert (settled.classes_per_batch, settled.images_per_class) == (5, 3)
    assert settle(replace(TRIPLETS, classes_per_batch=5, batch_pairs=64), run, None).images_per_class == 12
    assert settle(replace(TRIPLETS, classes_per_batch=20, batch_pairs=10), run, None).images_per_class == 2
    assert settle(replace(TRIPLETS, images_per_class=3), run, None).classes_per_batch == 16


def test_what_triplets_leave_open_is_settled(quarters, run_of):
    run = run_of(quarters)
    settled = settle(TRIPLETS, run, None)
    assert (settled.head, settled.margin, settled.losses) == ("euclidean", 0.5, "native")
    assert settled.step_shape == (4, 32)  # an epoch is one step: there are 63 images
    assert settled.epochs == settled.images_shown // 128 == 2000
    assert settle(settled, run, None) == settled
    assert settle(replace(TRIPLETS, epochs=3, margin="soft", head="cosine"), run, None) == replace(
        settled, epochs=3, margin="soft", head="cosine"
    )


def test_where_the_loss_is_from_is_settled(quarters, run_of, monkeypatch):
    """By `losses_from`, here one that takes Addons for hard mining only."""
    monkeypatch.setattr(
        "siamese_tf.training.settle.losses_from", lambda config: "addons" if config.mining == "hard" else "native"
    )
    for mining, expected in (("hard", "addons"), ("all", "native")):
        assert settle(replace(TRIPLETS, losses=None, mining=mining), run_of(quarters), None).losses == expected


@pytest.mark.parametrize("mining", MINING_NAMES)
def test_more_classes_than_there_are_are_refused(quarters, run_of, mining):
    config = replace(TRIPLETS, mining=mining, classes_per_batch=5)
    with pytest.raises(ConfigError, match="batches of 5 classes asked, and there are 4. Set classes_per_batch to 4"):
        settle(config, run_of(quarters), None)
    config = replace(config, classes_per_batch=3, one_vs_rest="south-east")
    with pytest.raises(ConfigError, match="batches of 3 classes asked, and there are 2"):
        settle(config, run_of(quarters, config), None)


def test_pairs_of_one_class_and_the_rest(quarters, run_of):
    """Of all pairs of a step, as of triplets, an epoch is what goes into the images; of listed ones, into the pairs."""
    config = TrainConfig(one_vs_rest="2", batch_pairs=10, images_shown=1000)
    run = run_of(quarters, config)
    settled = settle(config, run, None)
    assert (settled.step_shape, settled.classes_per_batch) == ((2, 10), None)
    assert settled.epochs == 17  # three steps of 20 are in 63 images: 60 an epoch
    listed = settle(replace(config, pairs_per_step="listed"), run, None)
    steps = len(run.seen.train.rows(TRAIN)) // 10
    assert listed.epochs == -(-1000 // (20 * steps))
    with pytest.raises(ConfigError, match="batches of 2 classes with 1 images each; expected .* 2 images of each"):
        settle(replace(config, batch_pairs=1), run, None)


# What the pairs cannot serve.


@pytest.mark.parametrize(("split", "name"), [(TRAIN, "training"), (VALIDATION, "validation"), (TEST, "test")])
def test_every_split_needs_pairs_of_both_kinds(toy_pairs, run_of, split, name):
    """Otherwise a run would end in a refusal after all its epochs."""
    rows = toy_pairs.rows(split)
    without = replace(toy_pairs, split=np.where(toy_pairs.split == split, (split + 1) % 3, toy_pairs.split))
    run = run_of(toy_pairs)
    alike = replace(toy_pairs, similarity=toy_pairs.similarity.copy())
    alike.similarity[rows] = 1
    for pairs, words in (
        (without, rf"has no {name} rows \(split {split}\), which a run needs.*: siamese-tf pairs generate"),
        (alike, rf"all {name} pairs \(split {split}\) of .* have similarity 1; a run needs pairs of both kinds"),
    ):
        seen = replace(run.seen, train=pairs, test=pairs)
        with pytest.raises(PairFileError, match=words):
            settle(TrainConfig(pairs_per_step="listed"), replace(run, opened=seen, seen=seen), None)


def test_all_pairs_and_triplets_need_labels(toy_pairs, run_of):
    bare = run_of(replace(toy_pairs, labels=None, path="bare.npz"))
    with pytest.raises(PairFileError, match=r"bare\.npz has no labels, .*: --pairs-per-step listed"):
        settle(TrainConfig(), bare, None)
    assert settle(TrainConfig(pairs_per_step="listed"), bare, None).pairs_per_step == "listed"
    with pytest.raises(PairFileError, match=r"bare\.npz has no labels, and the objective triplet needs them"):
        settle(TRIPLETS, bare, None)
