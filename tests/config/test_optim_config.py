import pytest

from siamese_tf.config.catalog import AUGMENTATIONS
from siamese_tf.config.optim_config import OPTIMIZERS, SCHEDULES, OptimConfig
from siamese_tf.errors import ConfigError


def test_the_decay_of_the_average_is_below_1():
    for right in (0, 0.5, 0.9999):
        assert OptimConfig(average=right).average == right
    for wrong in (1, 1.0, -0.1, float("nan"), "0.9"):
        with pytest.raises(ConfigError) as caught:
            OptimConfig(average=wrong)
        assert str(caught.value) == f"average must be a number of at least 0 and below 1; got {wrong!r}"


def test_the_layer_decay_is_between_0_and_1():
    for right in (None, 1e-9, 0.5, 0.9999):
        assert OptimConfig(layer_decay=right).layer_decay == right
    for wrong in (0, 1, 1.0, -0.1, 2, float("nan"), "0.9", True):
        with pytest.raises(ConfigError) as caught:
            OptimConfig(layer_decay=wrong)
        assert str(caught.value) == f"layer_decay must be a number above 0 and below 1; got {wrong!r}"


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_schedule_goes_with_either_optimizer(schedule, optimizer):
    config = OptimConfig(schedule=schedule, optimizer=optimizer)
    assert (config.schedule, config.optimizer) == (schedule, optimizer)


@pytest.mark.parametrize(
    "augment",
    [
        "auto",
        "light",
        "strong",
        "none",
        *AUGMENTATIONS,
        "flip-shift",
        "shift-flip",
        "erase-color-vflip-shift-affine-flip",
    ],
)
def test_transformations_can_be_combined(augment):
    assert OptimConfig(augment=augment).augment == augment


@pytest.mark.parametrize(
    "augment",
    ["nonsense", "", "shift_flip", "Flip", "flip-", "-flip", "flip-flip", "auto-flip", "strong-erase", "none-flip"],
)
def test_other_augmentations_are_refused(augment):
    with pytest.raises(ConfigError) as caught:
        OptimConfig(augment=augment)
    assert str(caught.value) == (
        "augment must be auto, light, strong, none, or some of flip, vflip, color, affine, warp, elastic, shift, erase"
        f" joined by hyphens, such as shift-flip; got {augment!r}"
    )


def test_initial_weights_are_text_because_they_are_saved_as_json(tmp_path):
    assert OptimConfig(start_from=str(tmp_path)).start_from == str(tmp_path)
    with pytest.raises(ConfigError, match=r"start_from must be text or None; got .*Path\(.*Use str\(path\)"):
        OptimConfig(start_from=tmp_path)
