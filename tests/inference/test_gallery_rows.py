"""Rows with digests: reading returns the enrolled embeddings, or raises an error."""

import sqlite3

import numpy as np
import pytest

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_rows import (
    add_people,
    check_structure,
    empty_gallery,
    read_people,
    read_person,
    rewrite_gallery,
    rows_of,
)
from siamese_tf.inference.gallery_schema import APPLICATION, TABLES, create_tables, query_value, read_header

SHA = "ab" * 32
PEOPLE = {"anna": b"aaaa" * 4, "ben": b"bbbb" * 2, "carl": b"cccc" * 2}


@pytest.fixture
def base():
    """A gallery of three people in memory, two numbers in an embedding."""
    base = sqlite3.connect(":memory:", isolation_level=None)
    create_tables(base, empty_gallery(SHA, 2))
    add_people(base, read_header(base), PEOPLE)
    yield base
    base.close()


def test_people_come_back_in_the_order_of_their_names(base):
    add_people(base, read_header(base), {"Zoe": b"zzzz" * 2})
    assert list(read_people(base, read_header(base)).items()) == [("Zoe", b"zzzz" * 2), *PEOPLE.items()]


def test_more_pictures_of_a_person_come_after_the_first(base):
    add_people(base, read_header(base), {"ben": b"xxxx" * 2})
    assert read_person(base, read_header(base), "ben") == b"bbbb" * 2 + b"xxxx" * 2
    assert read_person(base, read_header(base), "nobody") == b""
    assert list(read_people(base, read_header(base))) == list(PEOPLE)


def test_a_gallery_has_one_digest_however_its_people_came(base):
    before = read_header(base).digest
    add_people(base, read_header(base), {"dora": b"dddd" * 2})
    assert read_header(base).digest != before
    rewrite_gallery(base, read_header(base), PEOPLE)
    assert read_header(base).digest == before
    for name, embeddings in [("anna", b"aaaa" * 2), ("carl", PEOPLE["carl"]), ("ben", PEOPLE["ben"])]:
        if name == "anna":
            rewrite_gallery(base, read_header(base), {})
            assert read_header(base) == empty_gallery(SHA, 2)
        add_people(base, read_header(base), {name: embeddings})
    add_people(base, read_header(base), {"anna": b"aaaa" * 2})
    assert read_header(base).digest == before


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE people SET name = 'Anna' WHERE name = 'anna'",
        "UPDATE people SET embeddings = replace(embeddings, 'a', 'e') WHERE name = 'anna'",
        "UPDATE people SET embeddings = x'6161616161616161' WHERE name = 'anna'",
        "UPDATE people SET embeddings = x'61' WHERE name = 'anna'",
        "UPDATE people SET embeddings = x'' WHERE name = 'anna'",
        "UPDATE people SET embeddings = 'aaaaaaaaaaaaaaaa' WHERE name = 'anna'",
        "UPDATE people SET name = CAST(name AS BLOB)",
        "UPDATE people SET digest = (SELECT digest FROM people WHERE name = 'ben') WHERE name = 'anna'",
        "UPDATE people SET digest = 'text'",
        "DELETE FROM people WHERE name = 'anna'",
        "DELETE FROM people",
        "UPDATE model SET digest = x'00'",
        "UPDATE model SET sha256 = 'ac'",
        "UPDATE model SET embedding_dim = 1",
    ],
)
def test_one_change_to_anna_is_found(base, damage):
    base.execute(damage)
    with pytest.raises(GalleryError, match="the gallery is damaged: .*Restore a copy"):
        read_people(base, read_header(base))
    if "model SET digest" not in damage and "DELETE" not in damage and "name =" not in damage.split(" WHERE")[0]:
        with pytest.raises(GalleryError, match="the gallery is damaged"):
            read_person(base, read_header(base), "anna")


def test_an_index_that_gives_another_row_is_found(base):
    """Makes the index return ben's row for anna's, as a flipped bit could."""
    base.execute("UPDATE people SET name = 'x' || name WHERE name = 'anna'")
    base.execute("UPDATE people SET name = 'anna' WHERE name = 'ben'")
    with pytest.raises(GalleryError, match="'anna' do not match their digest"):
        read_person(base, read_header(base), "anna")


@pytest.mark.parametrize("name", ["a\nb", "a\u00a0b", "\x1b[31m"])
def test_rows_with_names_that_are_not_normal_are_refused(base, name):
    """The digest is right, as somebody who forges a row would make it."""
    add_people(base, read_header(base), {name: b"xxxx" * 2})
    with pytest.raises(GalleryError, match="not normalized|a name must be text"):
        read_people(base, read_header(base))


@pytest.mark.parametrize("row", [[0.0, 0.0], [1e-9, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_embeddings_that_cannot_be_compared_are_refused(row):
    good = np.ones((2, 2), np.float32)
    np.testing.assert_array_equal(rows_of(good.tobytes(), 2), good)
    assert rows_of(b"", 2).shape == (0, 2)
    with pytest.raises(GalleryError, match="a stored embedding is 0 or not finite"):
        rows_of(np.array([[1.0, 1.0], row], "<f4").tobytes(), 2)


def test_tables_of_analyze_are_removed(base):
    base.execute("ANALYZE")
    assert query_value(base, "SELECT count(*) FROM sqlite_master WHERE name LIKE 'sqlite_stat%'")
    rewrite_gallery(base, read_header(base), PEOPLE)
    assert query_value(base, "SELECT count(*) FROM sqlite_master") == len(TABLES[2])
    assert read_people(base, read_header(base)) == PEOPLE
    check_structure(base, "integrity_check")


@pytest.fixture
def old():
    """A gallery of version 1."""
    base = sqlite3.connect(":memory:", isolation_level=None)
    for statement in (*TABLES[1], f"PRAGMA application_id = {APPLICATION}", "PRAGMA user_version = 1"):
        base.execute(statement)
    base.execute("INSERT INTO model VALUES (?, 2)", (SHA,))
    rows = [("ben", b"bbbb" * 2), ("Anna", b"aaaa" * 2), ("Anna\u00a0", b"AAAA" * 2), ("ben", b"BBBB" * 2)]
    base.executemany("INSERT INTO pictures (name, embedding) VALUES (?, ?)", rows)
    yield base
    base.close()


def test_two_spellings_in_version_1_are_one_person(old):
    people = read_people(old, read_header(old))
    assert people == {"Anna": b"aaaa" * 2 + b"AAAA" * 2, "ben": b"bbbb" * 2 + b"BBBB" * 2}
    rewrite_gallery(old, read_header(old), people)
    assert read_header(old).version == 2
    assert read_people(old, read_header(old)) == people


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE pictures SET embedding = x'0000803f'", "a stored embedding does not have 2 values"),
        ("UPDATE pictures SET embedding = 'textsize'", "a stored embedding does not have 2 values"),
        ("UPDATE pictures SET name = 'a' || char(27) || '[31m'", "a name must be text"),
        ("UPDATE pictures SET name = x'61'", "a name must be text"),
    ],
)
def test_rows_that_no_gallery_of_version_1_would_hold_are_refused(old, statement, words):
    old.execute(statement)
    with pytest.raises(GalleryError, match=words):
        read_people(old, read_header(old))
