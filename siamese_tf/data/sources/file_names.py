"""Names of files and folders: sort order and display."""

import os
import re

from siamese_tf.printable import printable

ODD_NAME = "is not UTF-8, or has control characters"


def natural_order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Returns the sort key that puts s2 before s10, A beside a, and numbers before words."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return [(not digits, int(digits or 0), text.casefold()) for digits, text in parts], name


def is_unusual_name(name: str) -> bool:
    """Checks for a name that is not UTF-8 or has control characters."""
    try:
        text = os.fsencode(name).decode("utf-8")
    except UnicodeError:
        return True
    return printable(text) != text


def shown_name(name: str) -> str:
    """Returns the name as printable UTF-8 in any locale, with escapes for other bytes and control characters."""
    return printable(os.fsencode(name).decode("utf-8", "backslashreplace"))
