import os

import pytest

from siamese_tf.data.sources.file_names import is_unusual_name, natural_order, shown_name

BYTES = os.fsdecode(b"\xe4.png")  # Latin-1


def test_numbers_are_ordered_by_value_and_before_letters():
    names = ["s10", "b", "A", "s2", "a", "10", "9", "s2a"]
    assert sorted(names, key=natural_order) == ["9", "10", "A", "a", "b", "s2", "s2a", "s10"]


@pytest.mark.parametrize(
    ("name", "unusual", "shown"),
    [
        ("ä b.png", False, "ä b.png"),
        ("a\nb", True, "a\\nb"),
        ("\x1b[31m", True, "\\x1b[31m"),
        (BYTES, True, "\\xe4.png"),
    ],
)
def test_names_that_cannot_be_printed_are_escaped(name, unusual, shown):
    assert is_unusual_name(name) == unusual
    assert shown_name(name) == shown
