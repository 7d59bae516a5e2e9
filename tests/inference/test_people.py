"""The people of a gallery in memory: the rows of each person, and a cache that follows the file."""

from types import SimpleNamespace

import numpy as np
import pytest

from siamese_tf.inference.gallery_file import GalleryFile
from siamese_tf.inference.people import People, PeopleCache

MODEL = SimpleNamespace(all_pairs=SimpleNamespace(prepare=lambda rows: 2 * rows))


def test_the_rows_of_each_person():
    rng = np.random.default_rng(2)
    embeddings = [rng.normal(size=(count, 2)).astype(np.float32) for count in rng.integers(1, 5, 30)]
    ends = np.cumsum([len(rows) for rows in embeddings])
    people = People([f"p{number}" for number in range(30)], ends, np.concatenate(embeddings))
    for person, rows in enumerate(embeddings):
        np.testing.assert_array_equal(people.of(person), rows)


@pytest.fixture
def file(tmp_path):
    with GalleryFile(tmp_path / "g", ("ab" * 32, 2)) as file:
        file.add(["ben", "anna", "ben"], np.array([[1, 2], [3, 4], [5, 6]], np.float32))
        yield file


def test_people_are_loaded_in_the_form_in_which_the_model_compares_them(file):
    people = PeopleCache().load(file, MODEL)
    assert people.names == ["anna", "ben"]
    np.testing.assert_array_equal(people.of(0), [[6, 8]])
    np.testing.assert_array_equal(people.of(1), [[2, 4], [10, 12]])


def test_the_file_is_read_again_only_after_a_change(file):
    cache = PeopleCache()
    first = cache.load(file, MODEL)
    assert cache.load(file, MODEL) is first
    file.add(["carl"], np.array([[7, 8]], np.float32))
    second = cache.load(file, MODEL)
    assert second.names == ["anna", "ben", "carl"]
    cache.clear()
    assert cache.load(file, MODEL) is not second


def test_a_change_while_the_people_are_loaded_is_not_taken_for_an_earlier_version(file, monkeypatch):
    """Anna is removed between the look at the version and the reading, and enrolled again: the version recurs."""
    cache, before = PeopleCache(), file.version()
    cache.load(file, MODEL)
    file.add(["carl"], np.array([[7, 8]], np.float32))

    def version(read=file.version):
        monkeypatch.undo()
        found = read()
        file.remove("anna")
        return found

    monkeypatch.setattr(file, "version", version)
    assert cache.load(file, MODEL).names == ["ben", "carl"]
    file.add(["anna"], np.array([[3, 4]], np.float32))
    assert cache.load(file, MODEL).names == ["anna", "ben", "carl"]
    file.remove("carl")
    assert file.version() == before
    assert cache.load(file, MODEL).names == ["anna", "ben"]
