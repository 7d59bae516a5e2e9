import sqlite3
import unicodedata

import pytest

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_schema import APPLICATION, TABLES, VERSION, as_name, lay_out, one, read_model

SHA = "ab" * 32


@pytest.fixture
def base():
    """An empty data base in memory."""
    base = sqlite3.connect(":memory:", isolation_level=None)
    yield base
    base.close()


def test_an_empty_data_base_becomes_a_gallery_of_its_model(base):
    lay_out(base, SHA, 8)
    assert read_model(base) == (SHA, 8)
    assert one(base, "SELECT count(*) FROM pictures") == 0


def test_what_is_there_stays(base):
    lay_out(base, SHA, 8)
    lay_out(base, "cd" * 32, 9)
    assert read_model(base) == (SHA, 8)


def test_a_gallery_half_laid_out_is_none_at_all(base):
    base.execute("BEGIN")
    lay_out(base, SHA, 8)
    base.execute("ROLLBACK")
    assert one(base, "PRAGMA application_id") == one(base, "SELECT count(*) FROM sqlite_master") == 0


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("PRAGMA application_id = 1", "it is not a gallery that siamese_tf made"),
        ("PRAGMA user_version = 2", "of version 2, and this siamese_tf reads version 1"),
        ("CREATE TABLE other (a)", "other tables"),
        ("CREATE TRIGGER t AFTER DELETE ON pictures BEGIN DELETE FROM model; END", "other tables"),
        ("DROP INDEX pictures_by_name", "other tables"),
        ("DELETE FROM model", "other tables"),
        ("INSERT INTO model VALUES ('other', 3)", "other tables"),
        ("UPDATE model SET embedding_dim = 'eight'", "other tables"),
        ("UPDATE model SET sha256 = x'00'", "other tables"),
    ],
)
def test_anything_else_is_refused(base, statement, words):
    lay_out(base, SHA, 8)
    base.execute(statement)
    with pytest.raises(GalleryError, match=words):
        read_model(base)


def test_what_analyze_leaves_is_no_damage(base):
    lay_out(base, SHA, 8)
    base.execute("INSERT INTO pictures (name, embedding) VALUES ('anna', x'00')")
    base.execute("ANALYZE")
    assert one(base, "SELECT count(*) FROM sqlite_master") > len(TABLES)
    assert read_model(base) == (SHA, 8)


def test_a_view_under_the_name_of_a_table_is_refused(base):
    base.execute(f"PRAGMA application_id = {APPLICATION}")
    base.execute(f"PRAGMA user_version = {VERSION}")
    base.execute(f"CREATE VIEW model AS SELECT '{SHA}' AS sha256, 8 AS embedding_dim")
    with pytest.raises(GalleryError, match="other tables"):
        read_model(base)


def test_a_foreign_data_base_is_neither_laid_out_nor_read(base):
    base.execute("CREATE TABLE songs (title)")
    lay_out(base, SHA, 8)
    assert one(base, "SELECT count(*) FROM sqlite_master") == 1 < len(TABLES)
    with pytest.raises(GalleryError, match="not a gallery"):
        read_model(base)


@pytest.mark.parametrize(
    "name",
    [
        "anna",
        "Ö. Đặng 李",
        "O'Brien; DROP TABLE x;--",
        "a/b\\c",
        "x" * 200,
        "\u0645\u06cc\u200c\u0631",
        "👩🏽‍🔬",
        "%s {0}",
    ],
)
def test_a_name_is_any_text_on_a_line(name):
    assert as_name(name) == name


def test_one_name_has_one_form_however_it_is_spelt():
    apart = unicodedata.normalize("NFD", "Zoë")
    assert apart != "Zoë"
    assert as_name(apart) == as_name("Zoë") == as_name(" Zoë  ") == "Zoë"
    assert as_name("e\u0308" * 200) == "ë" * 200


BAD = [
    "",
    "  ",
    "a\u2029b",
    "a\x85b",
    "a\u202eb",
    "a\u200bb",
    "\ufeffa",
    "\u0958" * 101,
    "a\nb",
    "a\0",
    "\x1b[31m",
    "a\u2028b",
    "\udcff",
    "x" * 201,
    None,
    7,
    b"anna",
]


@pytest.mark.parametrize("name", BAD)
def test_other_names_are_refused(name):
    with pytest.raises(GalleryError, match="a name must be text of 1 to 200 characters on one line"):
        as_name(name)
