"""The normalized form of names, and the names that are rejected."""

import random
import unicodedata

import pytest

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_names import normalize_name, parse_name


@pytest.mark.parametrize(
    "name",
    [
        "anna",
        "Ö. Đặng 李",
        "O'Brien; DROP TABLE x;--",
        "a/b\\c",
        "x" * 200,
        "\u0645\u06cc\u200c\u0631",
        "👩🏽‍🔬",
        "%s {0}",
    ],
)
def test_a_name_is_any_text_on_a_line(name):
    assert parse_name(name) == name


def test_one_name_has_one_form_however_it_is_spelt():
    apart = unicodedata.normalize("NFD", "Zoë")
    assert apart != "Zoë"
    assert parse_name(apart) == parse_name("Zoë") == parse_name(" Zoë  ") == "Zoë"
    assert parse_name("e\u0308" * 200) == "ë" * 200


BAD = [
    "",
    "  ",
    "a\u2029b",
    "a\x85b",
    "a\u202eb",
    "a\u200bb",
    "\ufeffa",
    "\u0958" * 101,
    "a\nb",
    "a\0",
    "\x1b[31m",
    "a\u2028b",
    "\udcff",
    "x" * 201,
    None,
    7,
    b"anna",
]


@pytest.mark.parametrize("name", BAD)
def test_other_names_are_refused(name):
    with pytest.raises(GalleryError, match="a name must be text of 1 to 200 characters on one line"):
        parse_name(name)


@pytest.mark.parametrize(
    "spelling",
    ["Anna\u00a0Berg", "Anna  Berg", "Anna\u2003Berg ", "\u3000Anna \u202fBerg", "Anna\u1680Berg", "Ａｎｎａ Berg"],
)
def test_white_space_and_compatible_letters_make_no_second_person(spelling):
    assert parse_name(spelling) == "Anna Berg"


def test_the_shape_of_an_emoji_makes_no_second_person():
    assert parse_name("Anna \u2764\ufe0f") == parse_name("Anna \u2764") == "Anna \u2764"


UNSEEN = [
    "\u200d",
    "\u200c",
    "\u034f",
    "\u115f",
    "\u3164",
    "\uffa0",
    "\u2800",
    "\u17b4",
    "\u180b",
    "\U000e0020",
    "\u00ad",
]


@pytest.mark.parametrize("letter", UNSEEN)
@pytest.mark.parametrize("name", ["Anna{}", "{}Anna", "An{}na", "{}"])
def test_invisible_characters_are_refused(name, letter):
    with pytest.raises(GalleryError, match="invisible characters"):
        parse_name(name.format(letter))


JOINED = [
    "\u0645\u06cc\u200c\u0631",
    "\u0d05\u0d35\u0d28\u0d4d\u200d",
    "\u0915\u094d\u200d\u0937",
    "👩🏽\u200d🔬",
    "❤\u200d🔥",
]


@pytest.mark.parametrize("name", JOINED)
def test_joiners_stay_where_they_have_an_effect(name):
    assert parse_name(name) == name
    with pytest.raises(GalleryError):
        parse_name(f"{name}x\u200d")


def test_what_earlier_releases_enrolled_can_be_looked_up():
    """They refused the same control characters, normalized to NFC, and stripped blanks at the ends only."""
    rng = random.Random(0)
    letters = "aZé \u00a0\u3000\u3164\u200d\u0301\ufe0f\u2800ﬁ①ﾊﾟ\u1680🔬"
    for _ in range(2000):
        old = unicodedata.normalize("NFC", "".join(rng.choices(letters, k=rng.randint(1, 6)))).strip(" ")
        if old.strip() not in ("", "\ufe0f"):
            assert normalize_name(normalize_name(old)) == normalize_name(old)
    assert normalize_name("\ufe0f") == "\ufe0f"
