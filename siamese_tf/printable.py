"""Text from files and folders, escaped for printing on a terminal."""

import re
import sys
from typing import TextIO

# Control characters (C0, DEL, C1), line and paragraph separators, bidirectional overrides, lone surrogates.
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
UNSAFE_BUT_LAYOUT = re.compile(r"(?![\n\t])" + UNSAFE.pattern)


def print_lines(*lines: str, file: TextIO | None = None) -> None:
    """Prints each line escaped, so that no name can control the terminal or pass for a separate line.

    Args:
        lines: without line feeds.
        file: standard output where it is None.
    """
    print("\n".join(map(printable, lines)), file=file, flush=True)


def warn(*lines: str) -> None:
    """Prints each line on standard error with the prefix "warning: ", also if a command is quiet."""
    if lines:
        print_lines(*(f"warning: {line}" for line in lines), file=sys.stderr)


def printable(text: str, keep_layout: bool = False) -> str:
    """Replaces each character that could control a terminal with an escape such as `\\x1b`.

    Args:
        text: any text, such as a name from a CSV file or a file name that is not UTF-8.
        keep_layout: leaves line feeds and tabs, for messages of several lines.
    """
    pattern = UNSAFE_BUT_LAYOUT if keep_layout else UNSAFE
    return pattern.sub(lambda found: ascii(found[0])[1:-1], text)


def short_reason(error: BaseException, limit: int = 200) -> str:
    """Returns the message of an error as one printable line of at most `limit` characters.

    Libraries put names from the file they read, or all of a header, into their messages.
    """
    text = printable(" ".join(str(error).split()))
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
