"""Escaping of untrusted text for output on a terminal."""

import re
import sys
from typing import TextIO

# Control characters (C0, DEL, C1), line and paragraph separators, bidirectional overrides, lone surrogates.
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
UNSAFE_BUT_LAYOUT = re.compile(r"(?![\n\t])" + UNSAFE.pattern)


def print_lines(*lines: str, file: TextIO | None = None) -> None:
    """Prints each line escaped, so that a name can neither control the terminal nor imitate a separate line.

    Args:
        lines: text of each line; line feeds are escaped.
        file: output stream; None for standard output.
    """
    print("\n".join(map(printable, lines)), file=file, flush=True)


def warn(*lines: str) -> None:
    """Prints each line on standard error with the prefix "warning: ", even if a command is quiet."""
    if lines:
        print_lines(*(f"warning: {line}" for line in lines), file=sys.stderr)


def printable(text: str, keep_layout: bool = False) -> str:
    """Replaces each character that can control a terminal with an escape such as `\\x1b`.

    Args:
        text: any text, such as a name from a CSV file or a file name that is not UTF-8.
        keep_layout: if True, line feeds and tabs are not escaped.
    """
    pattern = UNSAFE_BUT_LAYOUT if keep_layout else UNSAFE
    return pattern.sub(lambda found: ascii(found[0])[1:-1], text)


def short_reason(error: BaseException, limit: int = 200) -> str:
    """Returns the message of an error as one printable line of at most `limit` characters.

    Messages of libraries may contain untrusted names or long headers.
    """
    text = printable(" ".join(str(error).split()))
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
