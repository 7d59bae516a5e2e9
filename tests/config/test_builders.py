import math

import pytest

from siamese_tf.config.builders import load_builder


def test_the_named_function_is_imported():
    assert load_builder("math:hypot") is math.hypot


@pytest.mark.parametrize("name", ["", "math", "math:", ":hypot"])
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(ValueError, match=f"must be 'module:name'; got '{name}'"):
        load_builder(name)


def test_an_unknown_module_or_name_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        load_builder("siamese_tf.no_such_module:tower")
    with pytest.raises(AttributeError):
        load_builder("math:no_such_function")
