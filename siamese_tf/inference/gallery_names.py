"""Normalization and validation of the names of people in a gallery."""

import re
import unicodedata

from siamese_tf.errors import GalleryError

MAX_NAME_LENGTH = 200
CONTROLS = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control and format characters, surrogates, line and paragraph separators
JOINERS = "\u200c\u200d"  # format characters that some scripts and emoji require
VIRAMA = 9  # combining class of the signs after which Indic scripts use joiners
SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # variation selectors
INVISIBLE = re.compile(  # letters, marks and symbols without a visible form
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\ufe00-\ufe0f\ufff0-\ufff8"
    "\U00013441\U00013442\U0001d159\U000e0000-\U000e0fff]"
)


def parse_name(name: str) -> str:
    """Validates a name for enrollment and returns it as normalized by `normalize_name`.

    Raises:
        GalleryError: if the name is not text, is blank or too long, or has control or invisible characters.
    """
    text = normalize_name(name)
    if len(text) > MAX_NAME_LENGTH or INVISIBLE.search(text) or _has_loose_joiner(text):
        raise _invalid_name(name)
    return text


def normalize_name(name: str) -> str:
    """Normalizes a name for look-up: NFKC, with single spaces between words.

    Accepts every name that earlier releases enrolled, including some that `parse_name` rejects.

    Raises:
        GalleryError: if the name is not text, is blank, or has control characters.
    """
    if not isinstance(name, str):
        raise _invalid_name(name)
    if not (name.isascii() and name.isprintable()):
        name = unicodedata.normalize("NFKC", SELECTORS.sub("", name) or name)
        if any(unicodedata.category(letter) in CONTROLS and letter not in JOINERS for letter in name):
            raise _invalid_name(name)
    text = " ".join(name.split())
    if not text:
        raise _invalid_name(name)
    return text


def _has_loose_joiner(text: str) -> bool:
    """Returns True if a joiner has no effect: it is neither after a virama nor between Arabic letters or emoji."""
    for position, letter in enumerate(text):
        if letter not in JOINERS:
            continue
        before = text[:position]
        if before and unicodedata.combining(before[-1]) == VIRAMA:
            continue
        base = next((one for one in reversed(before) if not unicodedata.combining(one)), " ")
        joins = unicodedata.bidirectional(base) == "AL" or unicodedata.category(base) in ("So", "Sk")
        if not joins or text[position + 1 : position + 2] in ("", " ", *JOINERS):
            return True
    return False


def _invalid_name(name: object) -> GalleryError:
    return GalleryError(
        f"a name must be text of 1 to {MAX_NAME_LENGTH} characters on one line, without control characters or invisible"
        f" characters; got {ascii(name):.100}. Choose another name"
    )
