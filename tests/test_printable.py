import re
import sys
from pathlib import Path

import pytest

import siamese_tf
from siamese_tf.printable import print_lines, printable, short_reason, warn


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Anna Müller 安娜", "Anna Müller 安娜"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("bell\x07 del\x7f csi\x9b", "bell\\x07 del\\x7f csi\\x9b"),
        ("line\u2028end", "line\\u2028end"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert printable(text) == shown


def test_keep_layout_preserves_lines():
    assert printable("a\n\tb\x1b", keep_layout=True) == "a\n\tb\\x1b"


def test_a_name_cannot_imitate_a_line(capsys):
    print_lines("wrote a\nerror: b\x1b", "second")
    print_lines("third", file=sys.stderr)
    assert capsys.readouterr() == ("wrote a\\nerror: b\\x1b\nsecond\n", "third\n")


def test_a_warning_goes_to_standard_error(capsys):
    warn()
    warn("few images", "a\nb\x1b.png is not used")
    assert capsys.readouterr() == ("", "warning: few images\nwarning: a\\nb\\x1b.png is not used\n")


def test_the_message_of_an_error_is_one_short_line():
    assert short_reason(ValueError("two\n  lines")) == "two lines"
    assert short_reason(ValueError("\x1b[31m")) == "\\x1b[31m"
    assert short_reason(ValueError("x" * 4500)) == "x" * 197 + "..."
    assert len(short_reason(ValueError("\0" * 4500), 50)) == 50


def test_every_module_shortens_errors_with_short_reason():
    """`{error!s:.200}` does not escape control characters and line feeds."""
    by_hand = re.compile(r"error!s:\.\d|str\(error\)\[|\{error:\.\d")
    sources = Path(siamese_tf.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if by_hand.search(path.read_text(encoding="utf-8"))] == []
