"""Galleries used by many threads, and damaged ones: they raise a GalleryError, or answer as before."""

import os
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fuzzing import damaged

from siamese_tf.errors import GalleryError
from siamese_tf.inference import gallery_database
from siamese_tf.inference.gallery import Gallery
from siamese_tf.inference.gallery_schema import APPLICATION, TABLES

D = 16
PEOPLE = {
    f"person {number}": np.random.default_rng(number).normal(size=(1 + number % 3, D)).astype(np.float32)
    for number in range(40)
}
ASKED = ("person 3", "nobody")
CALLS = ("open", "names", "identify", *ASKED)


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first @ second.T


# A model whose logit is the scalar product of two embeddings.
MODEL = SimpleNamespace(
    file_sha256="ab" * 32,
    embedding_dim=D,
    threshold=0.5,
    all_pairs=SimpleNamespace(prepare=np.asarray, prepared_logits=product, logit_matrix=product),
)
PROBE = np.random.default_rng(100).normal(size=D).astype(np.float32) / 10


def answers(path: Path) -> dict[str, object]:
    """Returns the answers of a gallery, None for an error."""
    found: dict[str, object] = dict.fromkeys(CALLS)
    try:
        with Gallery.open(path, MODEL) as gallery:
            found["open"] = True
            calls = {
                "names": gallery.names,
                "identify": lambda: gallery.identify(PROBE, 100),
                **{name: lambda name=name: gallery.verify(name, PROBE) for name in ASKED},
            }
            for name, call in calls.items():
                try:
                    found[name] = call()
                except GalleryError as error:
                    found[name] = "nobody" if "nobody named" in str(error) else None
    except GalleryError:
        pass
    return found


@pytest.fixture
def path(monkeypatch):
    """A small gallery, in memory where that is possible, whose pages are small: more of its bytes mean something."""
    fast = {"page_size = 16384": "page_size = 512", "synchronous = EXTRA": "synchronous = OFF"}
    settings = tuple(fast.get(setting, setting) for setting in gallery_database.SETTINGS)
    monkeypatch.setattr(gallery_database, "SETTINGS", settings)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        path = Path(folder) / "people.gallery"
        with Gallery.open(path, MODEL, create=True) as gallery:
            for name, embeddings in PEOPLE.items():
                gallery.enroll(name, embeddings)
            gallery.enroll("to be removed", np.ones((2, D)))
            gallery.remove("to be removed")
        yield path


def test_any_thread_may_use_a_gallery(path):
    """Sixteen at once enroll, verify, identify, list and remove, in a gallery that this one has opened."""
    with Gallery.open(path, MODEL) as gallery, ThreadPoolExecutor(16) as pool:
        right = gallery.verify("person 3", PROBE)

        def work(who: int) -> None:
            for _ in range(2):
                gallery.enroll(f"new {who}", PEOPLE[f"person {who}"])
                assert gallery.verify("person 3", PROBE) == right
                (found,) = gallery.identify(PROBE, top=1000)
                assert {*PEOPLE, f"new {who}"} <= {one.name for one in found}
                assert gallery.names()[f"new {who}"] == len(PEOPLE[f"person {who}"])
                assert gallery.remove(f"new {who}") == len(PEOPLE[f"person {who}"])

        list(pool.map(work, range(16)))
        assert gallery.check() == {name: len(PEOPLE[name]) for name in sorted(PEOPLE)}
        pool.submit(gallery.close).result()
        pool.submit(gallery.close).result()


@pytest.mark.parametrize("cases", [150, pytest.param(20_000, marks=pytest.mark.slow)])
def test_damaged_galleries_are_refused_or_answer_as_before(path, cases):
    right = answers(path)
    assert right["names"] == {name: len(PEOPLE[name]) for name in sorted(PEOPLE)}
    assert right["nobody"] == "nobody"
    assert None not in right.values()
    whole = path.read_bytes()
    refused = 0
    for case, content in enumerate(damaged(whole, cases)):
        path.write_bytes(content)
        found = answers(path)
        wrong = {name: answer for name, answer in found.items() if answer not in (None, right[name])}
        assert not wrong, f"case {case} answers {wrong}"
        refused += None in found.values()
        for left in path.parent.iterdir():
            left.unlink()
    assert refused > cases / 2


@pytest.mark.parametrize("cases", [50, pytest.param(3_000, marks=pytest.mark.slow)])
def test_damaged_galleries_of_version_1_answer_or_are_refused_too(path, cases):
    """They have no digests, so one number of an embedding may change without being found."""
    path.unlink()
    with sqlite3.connect(path, isolation_level=None) as base:
        base.execute("PRAGMA page_size = 512")
        for statement in (*TABLES[1], f"PRAGMA application_id = {APPLICATION}", "PRAGMA user_version = 1"):
            base.execute(statement)
        base.execute("INSERT INTO model VALUES (?, ?)", (MODEL.file_sha256, D))
        pictures = [(name, row.tobytes()) for name, embeddings in PEOPLE.items() for row in embeddings]
        base.executemany("INSERT INTO pictures (name, embedding) VALUES (?, ?)", pictures)
    base.close()
    whole = path.read_bytes()
    assert None not in answers(path).values()
    for content in damaged(whole, cases):
        path.write_bytes(content)
        answers(path)
        for left in path.parent.iterdir():
            left.unlink()
