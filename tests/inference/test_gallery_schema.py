"""The tables and the header of a gallery; anything else is rejected."""

import sqlite3

import pytest

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_schema import (
    APPLICATION,
    TABLES,
    VERSION,
    Header,
    create_tables,
    is_empty,
    query_value,
    read_header,
)

SHA = "ab" * 32
MARKS = Header(VERSION, SHA, 8, bytes(16))


def version_1(base: sqlite3.Connection) -> None:
    for statement in (*TABLES[1], f"PRAGMA application_id = {APPLICATION}", "PRAGMA user_version = 1"):
        base.execute(statement)
    base.execute("INSERT INTO model VALUES (?, ?)", (SHA, 8))


@pytest.fixture
def base():
    """An empty data base in memory."""
    base = sqlite3.connect(":memory:", isolation_level=None)
    yield base
    base.close()


def test_an_empty_database_becomes_a_gallery_of_its_model(base):
    assert is_empty(base)
    create_tables(base, MARKS)
    assert read_header(base) == MARKS
    assert query_value(base, "SELECT count(*) FROM people") == 0
    assert not is_empty(base)


def test_a_gallery_of_an_earlier_release_is_known(base):
    version_1(base)
    assert read_header(base) == Header(1, SHA, 8, b"")


def test_a_gallery_half_laid_out_is_none_at_all(base):
    base.execute("BEGIN")
    create_tables(base, MARKS)
    base.execute("ROLLBACK")
    assert is_empty(base)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("PRAGMA application_id = 1", "the file is not a gallery of siamese_tf"),
        ("PRAGMA user_version = 3", "at most 2 for this siamese_tf; got 3. Update siamese_tf"),
        ("PRAGMA user_version = 1", "unexpected tables"),
        ("CREATE TABLE other (a)", "unexpected tables"),
        ("CREATE TRIGGER t AFTER DELETE ON people BEGIN DELETE FROM model; END", "unexpected tables"),
        ("DROP INDEX people_by_name", "unexpected tables"),
        ("DELETE FROM model", "unexpected tables"),
        ("INSERT INTO model VALUES ('other', 3, x'00')", "unexpected tables"),
        ("UPDATE model SET embedding_dim = 'eight'", "unexpected tables"),
        ("UPDATE model SET embedding_dim = 0", "unexpected tables"),
        ("UPDATE model SET sha256 = x'00'", "unexpected tables"),
        ("UPDATE model SET sha256 = char(27) || '[31m'", "not hexadecimal"),
        ("UPDATE model SET digest = 'text'", "unexpected tables"),
    ],
)
def test_anything_else_is_refused(base, statement, words):
    create_tables(base, MARKS)
    base.execute(statement)
    with pytest.raises(GalleryError, match=words):
        read_header(base)


def test_what_analyze_leaves_is_no_damage(base):
    create_tables(base, MARKS)
    base.execute("INSERT INTO people (name, digest, embeddings) VALUES ('anna', x'00', x'00')")
    base.execute("ANALYZE")
    assert query_value(base, "SELECT count(*) FROM sqlite_master") > len(TABLES[VERSION])
    assert read_header(base) == MARKS


def test_a_view_under_the_name_of_a_table_is_refused(base):
    base.execute(f"PRAGMA application_id = {APPLICATION}")
    base.execute(f"PRAGMA user_version = {VERSION}")
    base.execute(f"CREATE VIEW model AS SELECT '{SHA}' AS sha256, 8 AS embedding_dim")
    with pytest.raises(GalleryError, match="unexpected tables"):
        read_header(base)


def test_a_foreign_database_is_no_gallery_and_not_empty(base):
    base.execute("CREATE TABLE songs (title)")
    assert not is_empty(base)
    with pytest.raises(GalleryError, match="not a gallery"):
        read_header(base)
