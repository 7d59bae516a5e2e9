"""Budgets, compared with the images in the batches of a run."""

from dataclasses import replace

import pytest

from siamese_tf.config.catalog import TOWERS
from siamese_tf.config.train_config import OBJECTIVE_NAMES, TrainConfig
from siamese_tf.experiments.budget import Budget, budget, budget_lines, tower_parameters, with_one_budget
from siamese_tf.models.towers.build import build_tower
from siamese_tf.training.pipeline import training_batches
from siamese_tf.training.resolve import resolve_config

SMALL = TrainConfig(batch_pairs=16, tower="reference")


def of_all(**settings):
    return [replace(SMALL, objective=name, **settings) for name in OBJECTIVE_NAMES]


@pytest.mark.parametrize("objective", ["bce", "triplet"])
def test_a_budget_counts_the_images_of_all_batches(quarters, run_of, objective):
    run = run_of(quarters)
    config = resolve_config(replace(SMALL, objective=objective, epochs=3), run, None)
    sizes = [len(batch["images"]) for batch in training_batches(run, config, range(3))]
    expected = {"bce": (3, 10, 32), "triplet": (3, 3, 16)}[objective]  # 160 pairs; 63 images, four of each class
    assert budget(config, run) == Budget(*expected, images=sum(sizes))
    assert (len(sizes), set(sizes)) == (expected[0] * expected[1], {expected[2]})


def test_all_objectives_get_as_many_images(quarters, run_of):
    run = run_of(quarters)
    one_of_pairs, one_of_triplets = 10 * 32, 3 * 16
    for epochs in (1, 3, 40):
        configs = with_one_budget(of_all(epochs=epochs), run)
        assert [config.epochs for config in configs[:3]] == [epochs] * 3
        budgets = [budget(config, run).images for config in configs]
        assert budgets[:3] == [epochs * one_of_pairs] * 3
        assert abs(budgets[3] - budgets[0]) <= one_of_triplets / 2


def test_where_epochs_are_left_out_the_images_to_show_decide(quarters, run_of):
    configs = with_one_budget(of_all(images_shown=3000), run_of(quarters))
    assert [config.epochs for config in configs] == [10, 10, 10, 67, 67]  # 9.4 x 320, so 3,200 images; 66.7 x 48


def test_without_an_objective_on_pairs_the_first_one_is_the_measure(quarters, run_of):
    (config,) = with_one_budget([replace(SMALL, objective="triplet", epochs=7)], run_of(quarters))
    assert config.epochs == 7
    assert config == resolve_config(replace(SMALL, objective="triplet", epochs=7), run_of(quarters), None)


def test_the_minimum_is_one_epoch(quarters, run_of):
    configs = [replace(SMALL, objective="bce", batch_pairs=1, epochs=1), replace(SMALL, objective="triplet")]
    configs[1] = replace(configs[1], classes_per_batch=4, images_per_class=1000)
    assert [config.epochs for config in with_one_budget(configs, run_of(quarters))] == [1, 1]


LARGER_IMAGES = (  # than those here
    *("tnn", "koch", "omniglot", "inception_resnet_v1", "mobilenet_v2", "resnet50"),
    *("efficientnet_lite0", "dlib_face"),
)


@pytest.mark.parametrize("tower", [name for name in TOWERS if name not in LARGER_IMAGES])
def test_the_parameters_are_those_of_the_tower(quarters, run_of, tower):
    config = resolve_config(replace(SMALL, tower=tower, embedding_dim=5), run_of(quarters), None)
    assert tower_parameters(config, run_of(quarters)) == build_tower(tower, (8, 8, 1), 5).count_params()


def test_the_lines_show_what_is_the_same_and_what_is_not():
    budgets = {"bce": Budget(2, 546, 256, 279_552), "triplet": Budget(7, 328, 128, 293_888)}
    assert budget_lines("small_cnn", 183_952, budgets) == [
        "same pairs and tower for all objectives (small_cnn, 183,952 parameters)",
        "training images through the tower (epochs x steps x images per step):",
        "  bce             279,552 = 2 x 546 x 256",
        "  triplet         293,888 = 7 x 328 x 128  +5.1%",
    ]
