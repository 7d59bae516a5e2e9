import pytest

from siamese_tf.config.checks import check_choice, check_number, check_text, check_whole, either
from siamese_tf.errors import ConfigError


def refusal(check, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        check("setting", *arguments, **options)
    return str(caught.value)


def test_names_as_text():
    assert [either(names) for names in ("a", "ab", "abc")] == ["a", "a or b", "a, b or c"]


def test_text():
    check_text("setting", "")
    check_text("setting", None, optional=True)
    assert refusal(check_text, None) == "setting must be text; got None. Use str(path)"
    assert refusal(check_text, 3, optional=True) == "setting must be text or None; got 3. Use str(path)"


def test_one_of_the_choices():
    for right in ("a", None, False):
        check_choice("setting", right, ("a", None, False))
    check_choice("setting", None, ("a", "b"), optional=True)
    assert refusal(check_choice, "c", ("a", None, "b")) == "setting must be one of a, b; got 'c'"
    assert refusal(check_choice, "c", ("a", "b"), optional=True) == "setting must be one of a, b; got 'c'"
    assert refusal(check_choice, None, ("a", "b")) == "setting must be one of a, b; got None"
    assert refusal(check_choice, ["a"], ("a", "b")) == "setting must be one of a, b; got ['a']"


def test_an_integer():
    for right in (2, 3_000):
        check_whole("setting", right, 2, 3_000)
    check_whole("setting", None, 2, 3, optional=True)
    for wrong in (1, 3_001, 2.0, "2", True, None, float("nan")):
        assert refusal(check_whole, wrong, 2, 3_000) == f"setting must be an integer from 2 to 3,000; got {wrong!r}"
    assert refusal(check_whole, False, 0, 3, optional=True).endswith("got False")


@pytest.mark.parametrize(
    ("options", "right", "wrong", "kind"),
    [
        ({}, (0, 0.0, 1e-300, 7, 1e300), (-1e-300, float("inf")), "a number of at least 0"),
        ({"above": True}, (1e-300, 7), (0, 0.0, -1, float("inf")), "a number above 0"),
        ({"below": 1}, (0, 0.999), (1, 1.0, 2, -0.5), "a number of at least 0 and below 1"),
        ({"above": True, "below": 2.5}, (1e-300, 2.4), (0, 2.5), "a number above 0 and below 2.5"),
        ({"optional": True}, (None, 0), (-1,), "a number of at least 0"),
        ({"above": True, "word": "soft"}, (1, "soft"), (0, "hard", ""), "a number above 0, or soft"),
    ],
)
def test_a_number(options, right, wrong, kind):
    for value in right:
        check_number("setting", value, **options)
    for value in (*wrong, "1", True, [1.0], float("nan"), *([] if "optional" in options else [None])):
        assert refusal(check_number, value, **options) == f"setting must be {kind}; got {value!r}"
