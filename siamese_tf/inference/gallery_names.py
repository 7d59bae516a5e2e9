"""The names of people in a gallery: one form of each, however a keyboard or a file system spells it."""

import re
import unicodedata

from siamese_tf.errors import GalleryError

LONGEST_NAME = 200
CONTROLS = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control and format characters, halves of others, ends of lines
JOINERS = "\u200c\u200d"  # format characters that some scripts and emoji are spelled with
VIRAMA = 9  # the combining class of the signs after which Indic scripts use joiners
SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # which of several shapes a character has
INVISIBLE = re.compile(  # letters, marks and symbols that render as nothing
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\ufe00-\ufe0f\ufff0-\ufff8"
    "\U00013441\U00013442\U0001d159\U000e0000-\U000e0fff]"
)


def parse_name(name: str) -> str:
    """Returns a name in the form in which it is enrolled: that of `normalize_name`.

    Raises:
        GalleryError: it is not text, blank, too long, or has control characters or characters that render as nothing.
    """
    text = normalize_name(name)
    if len(text) > LONGEST_NAME or INVISIBLE.search(text) or _has_loose_joiner(text):
        raise _not_a_name(name)
    return text


def normalize_name(name: str) -> str:
    """Returns a name in the form in which it is looked up: NFKC, with single spaces between words.

    Takes every name that earlier releases enrolled; some of them `parse_name` refuses.

    Raises:
        GalleryError: it is not text, blank, or has control characters.
    """
    if not isinstance(name, str):
        raise _not_a_name(name)
    if not (name.isascii() and name.isprintable()):
        name = unicodedata.normalize("NFKC", SELECTORS.sub("", name) or name)
        if any(unicodedata.category(letter) in CONTROLS and letter not in JOINERS for letter in name):
            raise _not_a_name(name)
    text = " ".join(name.split())
    if not text:
        raise _not_a_name(name)
    return text


def _has_loose_joiner(text: str) -> bool:
    """Whether a joiner stands where it changes nothing: not after a virama, nor between Arabic letters or emoji."""
    for place, letter in enumerate(text):
        if letter not in JOINERS:
            continue
        before = text[:place]
        if before and unicodedata.combining(before[-1]) == VIRAMA:
            continue
        base = next((one for one in reversed(before) if not unicodedata.combining(one)), " ")
        joins = unicodedata.bidirectional(base) == "AL" or unicodedata.category(base) in ("So", "Sk")
        if not joins or text[place + 1 : place + 2] in ("", " ", *JOINERS):
            return True
    return False


def _not_a_name(name: object) -> GalleryError:
    return GalleryError(
        f"a name must be text of 1 to {LONGEST_NAME} characters on one line, without control characters or characters"
        f" that cannot be seen; got {ascii(name):.100}. Choose another"
    )
