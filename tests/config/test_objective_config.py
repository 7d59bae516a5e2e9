import pytest

from siamese_tf.config.catalog import MINING, OBJECTIVES
from siamese_tf.config.objective_config import LOSSES_FROM, ObjectiveConfig
from siamese_tf.errors import ConfigError


def test_a_margin_is_a_number_or_soft():
    for margin in (None, 1e-9, 2, "soft"):
        assert ObjectiveConfig(margin=margin).margin == margin
    for margin in (0, -1.0, "hard", True):
        with pytest.raises(ConfigError, match=f"margin must be a number above 0, or soft; got {margin!r}"):
            ObjectiveConfig(margin=margin)


@pytest.mark.parametrize(("name", "choices"), [("mining", MINING), ("losses", LOSSES_FROM)])
def test_choices_are_accepted_and_in_the_help_text(name, choices):
    for choice in choices:
        assert getattr(ObjectiveConfig(**{name: choice}), name) == choice
        assert choice in ObjectiveConfig.settings()[name].help
    with pytest.raises(ConfigError, match=f"{name} must be one of {', '.join(choices)}; got 'none'"):
        ObjectiveConfig(**{name: "none"})


def test_the_settings_are_those_of_the_rows_with_a_margin_or_settings():
    rows = OBJECTIVES.values()
    assert set(ObjectiveConfig.settings()) == {"margin"}.union(*(row.settings for row in rows))
    for name in ObjectiveConfig.settings().keys() - {"margin"}:
        users = [objective for objective, row in OBJECTIVES.items() if name in row.settings]
        assert all(objective in ObjectiveConfig.settings()[name].help for objective in users)


def test_groups_need_batches_within_groups():
    assert ObjectiveConfig(batch_within="group", groups_per_batch=4).groups_per_batch == 4
    with pytest.raises(ConfigError, match="groups_per_batch must be omitted without batch_within; got 4. Set batch_w"):
        ObjectiveConfig(groups_per_batch=4)
