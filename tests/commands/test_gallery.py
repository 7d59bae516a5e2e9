"""Listing and removing people, without a model and without TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from siamese_tf.commands.gallery import count_pictures, load_gallery_model
from siamese_tf.errors import ConfigError
from siamese_tf.inference.gallery import Gallery

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def people(tmp_path):
    """A gallery of three people."""
    model = SimpleNamespace(file_sha256="ab" * 32, embedding_dim=4)
    with Gallery.open(tmp_path / "people.gallery", model, create=True) as gallery:
        for name, pictures in (("Zoë Ö", 2), ("anna", 1), ("ben", 3)):
            gallery.enroll(name, np.eye(4)[:pictures])
    return tmp_path / "people.gallery"


def test_list_names_everybody(run, people):
    done = run(f"gallery list {people}")
    assert done.code == 0
    assert done.out == "     2  Zoë Ö\n     1  anna\n     3  ben\n"
    assert done.err == "people: 3, pictures: 6\n"


def test_a_letter_that_the_terminal_has_not_is_its_number(people):
    model = SimpleNamespace(file_sha256="ab" * 32, embedding_dim=4)
    with Gallery.open(people, model) as gallery:
        gallery.enroll("\u0410", np.eye(4)[0])
    done = subprocess.run(
        [sys.executable, "-c", "from siamese_tf.cli import main; main()", "gallery", "list", str(people)],
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        cwd=ROOT,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u0410" in done.stdout


def test_remove_takes_a_person_out(run, people):
    done = run(f"gallery remove {people} ben")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"removed ben, pictures: 3. Left in {people}: people: 2, pictures: 3\n"
    assert "ben" not in run(f"gallery list {people}").out
    done = run(f"gallery remove {people} ben")
    assert (done.code, done.out) == (2, "")
    assert "nobody named 'ben' is enrolled" in done.err


def test_remove_takes_any_spelling_and_leaves_nothing(run, people):
    done = run(f"gallery remove {people} ｂｅｎ")
    assert done.out.startswith("removed ben, pictures: 3.")
    assert b"ben" not in people.read_bytes()
    assert os.listdir(people.parent) == [people.name]


def test_check_finds_one_bit(run, people):
    done = run(f"gallery check {people}")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{people} is intact. people: 3, pictures: 6\n"
    content = bytearray(people.read_bytes())
    content[content.rindex(b"ben")] ^= 1
    people.write_bytes(content)
    done = run(f"gallery check {people}")
    assert (done.code, done.out) == (2, "")
    assert "the gallery is damaged" in done.err


@pytest.mark.parametrize("line", ["gallery list {}", "gallery remove {} anna", "gallery check {}"])
def test_what_is_no_gallery_is_refused(run, tmp_path, line):
    (tmp_path / "text").write_text("only text" * 100)
    for name, words in (
        ("gone", "a path that does not exist"),
        ("text", "the file is not a gallery"),
        (".", "a path that is not a file"),
    ):
        done = run(line.format(tmp_path / name))
        assert (done.code, done.out) == (2, "")
        assert words in done.err


def test_neither_loads_tensorflow(people):
    script = (
        "import sys\nfrom siamese_tf.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert 'tensorflow' not in sys.modules"
    )
    for words in (["list", people], ["remove", people, "anna"], ["check", people]):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, "gallery", *map(str, words)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_the_other_commands_share_its_words_and_its_model(trained):
    assert count_pictures({"anna": 1200, "ben": 1}) == "people: 2, pictures: 1,201"
    model = load_gallery_model(trained.folder / "run" / "siamese.keras")
    assert model.file_sha256 is not None
    with pytest.raises(ConfigError, match="set SIAMESE_TF_MODEL"):
        load_gallery_model(None)
