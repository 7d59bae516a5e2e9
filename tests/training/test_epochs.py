from dataclasses import replace

import pytest

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.training.epochs import images_per_epoch
from siamese_tf.training.resolve import resolve_config


@pytest.mark.parametrize(
    ("batch_pairs", "per_epoch"),
    [(32, 128), (10, 140), (1000, 140)],  # of 70 pairs: 2 steps of 64 images, 7 of 20, one of all 140
)
def test_equal_epochs_show_images_shown_images_rounded_up_to_steps(toy_pairs, run_of, batch_pairs, per_epoch):
    run, per_step = run_of(toy_pairs), min(2 * batch_pairs, 140)
    for images_shown, epochs in ((1, 1), (per_epoch, 1), (per_epoch + 1, 2), (1000, -(-1000 // per_epoch))):
        config = TrainConfig(batch_pairs=batch_pairs, images_shown=images_shown)
        resolved = resolve_config(config, run, None)
        assert resolved.epochs == epochs
        assert images_shown <= epochs * images_per_epoch(run, resolved) < images_shown + epochs * per_step
        assert resolve_config(resolved, run, None) == resolved
        given = resolve_config(replace(config, epochs=5), run, None)
        assert (given.epochs, given.steps_per_epoch, images_per_epoch(run, given)) == (5, None, per_epoch)


def test_one_pass_is_not_written_as_a_number_of_steps(toy_pairs, run_of):
    """So that runs of earlier releases, which know no other epochs, have the same settings."""
    for images_shown, steps in ((256, None), (512, None), (193, None), (192, None), (128, None), (64, 1), (300, None)):
        resolved = resolve_config(TrainConfig(batch_pairs=32, images_shown=images_shown), run_of(toy_pairs), None)
        assert resolved.steps_per_epoch == steps, images_shown


def test_the_steps_of_an_epoch_can_be_set(toy_pairs, quarters, run_of):
    config = TrainConfig(batch_pairs=10, images_shown=300, steps_per_epoch=4)
    resolved = resolve_config(config, run_of(toy_pairs), None)
    assert (resolved.epochs, resolved.steps_per_epoch) == (4, 4)  # 15 steps of 20 images
    given = resolve_config(replace(config, epochs=2), run_of(toy_pairs), None)
    assert (given.epochs, given.steps_per_epoch) == (2, 4)
    with pytest.raises(
        ConfigError, match="steps_per_epoch must be at most 7, one pass over the pairs; got 8. Lower it, and set more"
    ):
        resolve_config(replace(config, steps_per_epoch=8), run_of(toy_pairs), None)
    triplets = resolve_config(TrainConfig(objective="triplet", steps_per_epoch=500), run_of(quarters), None)
    assert (triplets.epochs, triplets.steps_per_epoch) == (-(-triplets.images_shown // (500 * 128)), 500)
