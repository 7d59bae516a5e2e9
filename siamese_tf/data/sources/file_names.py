"""Sort order and display of file and folder names."""

import os
import re

from siamese_tf.printable import printable

ODD_NAME = "must be UTF-8 without control characters"


def natural_order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Returns a sort key that orders s2 before s10 and numbers before letters, and ignores case except in ties."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return [(not digits, int(digits or 0), text.casefold()) for digits, text in parts], name


def is_unusual_name(name: str) -> bool:
    """Returns True if the name is not UTF-8 or has control characters."""
    try:
        text = os.fsencode(name).decode("utf-8")
    except UnicodeError:
        return True
    return printable(text) != text


def shown_name(name: str) -> str:
    """Returns the name as printable UTF-8 in any locale; escapes invalid bytes and control characters."""
    return printable(os.fsencode(name).decode("utf-8", "backslashreplace"))
