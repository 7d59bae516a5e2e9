"""Wording of the help pages and of identifiers."""

import io
import re
import tokenize
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from siamese_tf.cli import app

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for folder in ("siamese_tf", "benchmarks") for path in (ROOT / folder).rglob("*.py"))

PREPOSITIONS = (
    "about above across after against among around as at before behind below beneath beside besides between beyond by"
    " despite down during except for from in inside into near of off on onto out outside over per since than through"
    " to toward towards under until up upon via with within without"
).split()
WRONG_STARTS = {*PREPOSITIONS, "what"}

# Identifiers that are not the field's terms: a whole name, the start of one (`MOST_`) or its end (`_told`).
BANNED = (
    "settle settled settle_ settled_ _settled kept kept_ _kept told told_ _told said in_words as_rule rule_text cure"
    " CURE CURES MOST_ LEAST_ FEWEST_ AS_THEY_ARE check_not_asked twin twins"
).split()
BANNED_CALLS = ("begin",)  # `begin` and `end` may be the offsets of a span


def commands(command: typer.main.Any, path: str) -> Iterator[tuple[str, typer.main.Any]]:
    """Yields path and command of every command and group."""
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, f"{path} {name}")


def help_texts() -> list[tuple[str, str]]:
    """Returns place and help text of every command and of every option and argument."""
    texts = []
    for path, command in commands(typer.main.get_command(app), "siamese-tf"):
        texts.append((path, command.help))
        texts += [(f"{path} {one.name}", one.help) for one in command.params]
    return texts


def wrong_start(text: str | None) -> str | None:
    """Returns the complaint about a help text, or None."""
    words = re.findall(r"[^\W\d_][\w'-]*", text or "")
    if not words:
        return "has no help text"
    if words[0].lower() in WRONG_STARTS:
        return f"starts with {words[0]!r}"
    if not text[0].isupper():  # flags, file names and choices need a noun before them
        return f"starts with {text.split()[0]!r}, no noun phrase or imperative"
    return None


def test_help_texts_are_noun_phrases_or_imperatives():
    texts = help_texts()
    assert len(texts) > 100, "the walk over the commands finds hardly any"
    assert {"siamese-tf train average", "siamese-tf pairs generate out", "siamese-tf gallery list"} <= {
        place for place, _ in texts
    }
    found = [f"{place}: {complaint}: {text!r}" for place, text in texts if (complaint := wrong_start(text))]
    assert not found, "\n" + "\n".join(found)


def banned(name: str) -> str | None:
    """Returns the entry of `BANNED` that a name matches, or None."""
    for entry in BANNED:
        if entry.endswith("_"):
            matches = name.lstrip("_").startswith(entry)
        elif entry.startswith("_"):
            matches = name.endswith(entry)
        else:
            matches = name.lstrip("_") == entry
        if matches:
            return entry
    return None


def banned_names(source: str) -> list[tuple[int, str]]:
    """Returns line and name of every banned identifier."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    return [
        (token.start[0], token.string)
        for token, following in pairwise(tokens)
        if token.type == tokenize.NAME
        and (banned(token.string) or (token.string in BANNED_CALLS and following.string == "("))
    ]


def test_identifiers_are_the_terms_of_the_field():
    assert len(SOURCES) > 100, "the source is elsewhere"
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in SOURCES
        for line, name in banned_names(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n" + "\n".join(found)


# The checks themselves


@pytest.mark.parametrize(
    "text",
    ["Of the person.", "What it is.", "At its height.", "In all steps.", "With commas.", "as it was", "", None]
    + ["grey or rgb.", "--epochs or so.", "2.5 seconds"],
)
def test_a_wrong_start_is_found(text):
    assert wrong_start(text)


@pytest.mark.parametrize("text", ["Peak learning rate.", "Inner margin.", "Print the result as JSON.", "L2 penalty."])
def test_other_starts_are_not(text):
    assert wrong_start(text) is None


def test_banned_identifiers_are_found_in_code_alone():
    source = "kept = 1  # kept\nx.begin('told')\nMOST_ROWS = _settle(CURE)\ndef f(told): ...\n"
    assert banned_names(source) == [
        (1, "kept"),
        (2, "begin"),
        (3, "MOST_ROWS"),
        (3, "_settle"),
        (3, "CURE"),
        (4, "told"),
    ]
    assert banned_names("begin = beginning = keptness = almost = 'kept'  # told\nMAX_ROWS = resolve(HINT)\n") == []
