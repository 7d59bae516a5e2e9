import json
from dataclasses import dataclass, replace
from functools import partial

import pytest

from siamese_tf.config.checks import check_choice, check_whole
from siamese_tf.config.settings import PANELS, Settings, documented, setting
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError


@documented
@dataclass(frozen=True)
class Sizes(Settings):
    """Sizes of a box."""

    width: int = setting(3, "Width in pixels.", partial(check_whole, low=1, high=9))
    color: str = setting(
        "grey", "Color.", partial(check_choice, choices=("grey", "rgb")), synonyms={"gray": "grey"}, panel=PANELS[1]
    )


def test_a_setting_has_its_default_and_its_description():
    assert Sizes.defaults() == Sizes().to_dict() == {"width": 3, "color": "grey"}
    described = Sizes.settings()
    assert list(described) == ["width", "color"]
    assert (described["width"].help, described["width"].panel) == ("Width in pixels.", None)
    assert described["color"].panel == PANELS[1]
    assert (
        Sizes.__doc__
        == "Sizes of a box.\n\n    Attributes:\n        width: Width in pixels.\n        color: Color.\n    "
    )


def test_values_are_checked():
    assert Sizes(width=9).width == 9
    for make in (lambda: Sizes(width=10), lambda: replace(Sizes(), width=10)):
        with pytest.raises(ConfigError, match="width must be an integer from 1 to 9; got 10"):
            make()


def test_a_synonym_is_stored_as_the_value_it_stands_for():
    assert Sizes(color="gray") == Sizes(color="grey")
    with pytest.raises(ConfigError, match="color must be one of grey, rgb; got 'gray-ish'"):
        Sizes(color="gray-ish")


def test_values_are_saved_and_loaded_as_json(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(Sizes(width=5).to_dict()))
    assert Sizes.load(path) == Sizes(width=5)
    path.write_text('{"height": 3}')
    with pytest.raises(ConfigError, match=r"whose keys are some of \['color', 'width'\]; got {'height': 3}"):
        Sizes.load(path)


def test_every_setting_of_a_run_has_a_help_text_and_a_panel():
    for name, described in TrainConfig.settings().items():
        assert described.help.endswith("."), name
        assert described.panel in PANELS, name
