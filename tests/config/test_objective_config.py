import pytest

from siamese_tf.config.objective_config import LOSSES_FROM, MINING_NAMES, ObjectiveConfig
from siamese_tf.errors import ConfigError


def test_a_margin_is_a_number_or_soft():
    for margin in (None, 1e-9, 2, "soft"):
        assert ObjectiveConfig(margin=margin).margin == margin
    for margin in (0, -1.0, "hard", True):
        with pytest.raises(ConfigError, match=f"margin must be a number above 0, or soft; got {margin!r}"):
            ObjectiveConfig(margin=margin)


@pytest.mark.parametrize(("name", "choices"), [("mining", MINING_NAMES), ("losses", LOSSES_FROM)])
def test_choices_are_accepted_and_in_the_help_text(name, choices):
    for choice in choices:
        assert getattr(ObjectiveConfig(**{name: choice}), name) == choice
        assert choice in ObjectiveConfig.settings()[name].help
    with pytest.raises(ConfigError, match=f"{name} must be one of {', '.join(choices)}; got 'none'"):
        ObjectiveConfig(**{name: "none"})


def test_every_setting_names_its_objectives():
    limits = {name: described.objectives for name, described in ObjectiveConfig.settings().items()}
    assert limits.pop("margin") == ("contrastive", "triplet")
    assert limits == dict.fromkeys(("mining", "losses", "classes_per_batch", "images_per_class"), ("triplet",))
