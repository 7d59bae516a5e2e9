"""The tables and the marks of a gallery; what is neither is refused."""

import sqlite3

import pytest

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_schema import (
    APPLICATION,
    TABLES,
    VERSION,
    Marks,
    create_tables,
    is_empty,
    one,
    read_marks,
)

SHA = "ab" * 32
MARKS = Marks(VERSION, SHA, 8, bytes(16))


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
    assert read_marks(base) == MARKS
    assert one(base, "SELECT count(*) FROM people") == 0
    assert not is_empty(base)


def test_a_gallery_of_an_earlier_release_is_known(base):
    version_1(base)
    assert read_marks(base) == Marks(1, SHA, 8, b"")


def test_a_gallery_half_laid_out_is_none_at_all(base):
    base.execute("BEGIN")
    create_tables(base, MARKS)
    base.execute("ROLLBACK")
    assert is_empty(base)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("PRAGMA application_id = 1", "it is not a gallery that siamese_tf made"),
        ("PRAGMA user_version = 3", "of version 3, and this siamese_tf reads versions up to 2. Update it"),
        ("PRAGMA user_version = 1", "other tables"),
        ("CREATE TABLE other (a)", "other tables"),
        ("CREATE TRIGGER t AFTER DELETE ON people BEGIN DELETE FROM model; END", "other tables"),
        ("DROP INDEX people_by_name", "other tables"),
        ("DELETE FROM model", "other tables"),
        ("INSERT INTO model VALUES ('other', 3, x'00')", "other tables"),
        ("UPDATE model SET embedding_dim = 'eight'", "other tables"),
        ("UPDATE model SET embedding_dim = 0", "other tables"),
        ("UPDATE model SET sha256 = x'00'", "other tables"),
        ("UPDATE model SET sha256 = char(27) || '[31m'", "not in hexadecimal"),
        ("UPDATE model SET digest = 'text'", "other tables"),
    ],
)
def test_anything_else_is_refused(base, statement, words):
    create_tables(base, MARKS)
    base.execute(statement)
    with pytest.raises(GalleryError, match=words):
        read_marks(base)


def test_what_analyze_leaves_is_no_damage(base):
    create_tables(base, MARKS)
    base.execute("INSERT INTO people (name, digest, embeddings) VALUES ('anna', x'00', x'00')")
    base.execute("ANALYZE")
    assert one(base, "SELECT count(*) FROM sqlite_master") > len(TABLES[VERSION])
    assert read_marks(base) == MARKS


def test_a_view_under_the_name_of_a_table_is_refused(base):
    base.execute(f"PRAGMA application_id = {APPLICATION}")
    base.execute(f"PRAGMA user_version = {VERSION}")
    base.execute(f"CREATE VIEW model AS SELECT '{SHA}' AS sha256, 8 AS embedding_dim")
    with pytest.raises(GalleryError, match="other tables"):
        read_marks(base)


def test_a_foreign_database_is_no_gallery_and_not_empty(base):
    base.execute("CREATE TABLE songs (title)")
    assert not is_empty(base)
    with pytest.raises(GalleryError, match="not a gallery"):
        read_marks(base)
