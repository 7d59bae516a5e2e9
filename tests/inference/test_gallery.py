"""Enrollment, verification and identification with models of each head, then the errors."""

import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from siamese_tf.config.catalog import HEADS
from siamese_tf.errors import ConfigError, GalleryError, ImageError
from siamese_tf.inference.gallery import Gallery
from siamese_tf.inference.gallery_file import GalleryFile
from siamese_tf.inference.gallery_schema import APPLICATION, TABLES
from siamese_tf.inference.matching import corrected_threshold
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.probability import probability
from siamese_tf.models.siamese_model import SiameseModel

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", params=HEADS)
def model(request, tmp_path_factory):
    """Each head in turn, 8x8 grey images, 8 numbers in an embedding; read from its file."""
    path = tmp_path_factory.mktemp("models") / "a.keras"
    model = SiameseModel((8, 8, 1), "small_cnn", 8, head=request.param, threshold=0.6)
    if model.head.symmetric:
        model.head.calibrate(2.0, -3.0)
    save_model(model, path)
    return load_model(path)


@pytest.fixture
def gallery(model, tmp_path):
    with Gallery.open(tmp_path / "people.gallery", model, create=True) as gallery:
        yield gallery


def fake(sha256: str | None = "ab" * 32, dim: int = 8) -> SimpleNamespace:
    """Returns the attributes of a model that enrollment needs."""
    return SimpleNamespace(file_sha256=sha256, embedding_dim=dim, threshold=0.5)


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), np.uint8)


def slow(model, probe: np.ndarray, people: dict[str, np.ndarray], match: str) -> dict[str, float]:
    """The score of one embedding with each person, pair by pair."""
    over = {"mean": np.mean, "best": np.max}[match]
    pair = np.array([0]), np.array([1])
    return {
        name: float(probability(over([model.pair_logits(np.stack([probe, row]), *pair)[0] for row in rows])))
        for name, rows in people.items()
    }


@pytest.fixture(scope="module")
def people(model):
    """The embeddings of 25 people, one to three of each."""
    return {f"person {number}": model.embed(images(1 + number % 3, seed=number)) for number in range(25)}


@pytest.fixture(scope="module")
def full(model, people, tmp_path_factory):
    """A gallery of them; the order in which they came does not matter."""
    path = tmp_path_factory.mktemp("gallery") / "people.gallery"
    with Gallery.open(path, model, create=True) as gallery:
        for name in reversed(people):
            gallery.enroll(name, people[name])
    return path


@pytest.fixture
def filled(model, full, tmp_path):
    """A copy of it, open."""
    shutil.copy(full, tmp_path / "people.gallery")
    with Gallery.open(tmp_path / "people.gallery", model) as gallery:
        yield gallery


# Scores


@pytest.mark.parametrize("match", ["mean", "best"])
def test_verify_gives_the_score_of_the_pairs(filled, model, people, match):
    probe = model.embed(images(1, seed=100))
    right = slow(model, probe[0], people, match)
    for name in ("person 3", "person 5"):
        found = filled.verify(name, probe, match)
        assert found.name == name
        assert found.score == pytest.approx(right[name], abs=1e-5)
        comparisons = len(people[name]) if match == "best" else 1
        assert found.threshold == corrected_threshold(0.6, comparisons)
        assert found.same == (found.score >= found.threshold)


@pytest.mark.parametrize("match", ["mean", "best"])
def test_identify_is_the_slow_reference(filled, model, people, match):
    probes = model.embed(images(3, seed=100))
    probes[2] = people["person 4"][0]
    found = filled.identify(probes, top=4, match=match)
    assert len(found) == 3
    for probe, best in zip(probes, found, strict=True):
        right = slow(model, probe, people, match)
        scores = [one.score for one in best]
        assert scores == sorted(scores, reverse=True)
        assert scores == pytest.approx(sorted(right.values(), reverse=True)[:4], abs=1e-5)
        assert scores == pytest.approx([right[one.name] for one in best], abs=1e-5)
        threshold = corrected_threshold(0.6, sum(map(len, people.values())) if match == "best" else len(people))
        assert {one.threshold for one in best} == {threshold}
        assert [one.same for one in best] == [score >= threshold for score in scores]


def test_identify_and_verify_agree_and_the_company_of_a_probe_does_not_matter(filled, model):
    embeddings = model.embed(images(70, seed=100))  # more than go through at a time
    together = filled.identify(embeddings)
    for row in (0, 33, 69):
        (alone,) = filled.identify(embeddings[row])
        assert [one.name for one in alone] == [one.name for one in together[row]]
        assert [one.score for one in alone] == pytest.approx([one.score for one in together[row]], abs=1e-6)
        for one in alone:
            assert filled.verify(one.name, embeddings[row]).score == pytest.approx(one.score, abs=1e-6)


def test_as_many_are_named_as_there_are(filled, model, people):
    (found,) = filled.identify(model.embed(images(1, seed=100)), top=1000)
    assert sorted(one.name for one in found) == sorted(people)
    assert len(filled.identify(model.embed(images(1, seed=100)), top=1)[0]) == 1


def test_of_people_with_the_same_picture_the_first_by_name_comes_first(gallery, model):
    picture = model.embed(images(1, seed=1))
    names = [f"person {number:02d}" for number in range(12)]
    for name in reversed(names):
        gallery.enroll(name, picture)
    assert [one.name for one in gallery.identify(picture, top=12)[0]] == names


def test_somebody_known_is_found_and_somebody_else_is_unknown(tmp_path):
    """Light on the left, light on the right, and light all over; the model tells them apart with a steep head."""
    shades = np.array([[255, 0], [0, 255], [255, 255]], np.uint8)
    left_right = shades.repeat(4, axis=1)[:, np.newaxis, :, np.newaxis].repeat(8, axis=1)
    model = SiameseModel((8, 8, 1), "small_cnn", 8, head="cosine")
    embeddings = model.embed(left_right)
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    nearest = np.sort((units @ units.T)[np.triu_indices(3, 1)])[-1]
    middle = (1 - nearest) / 2  # a cosine distance between "the very same" and the nearest other
    model.head.scale.assign(50.0 / middle)
    model.head.bias.assign(50.0)
    save_model(model, tmp_path / "a.keras")
    model = load_model(tmp_path / "a.keras")
    with Gallery.open(tmp_path / "g", model, create=True) as gallery:
        gallery.enroll("left", model.embed(left_right[0]))
        gallery.enroll("right", model.embed(left_right[1]))
        left, other = gallery.identify(model.embed(left_right[[0, 2]]))
    assert (left[0].name, left[0].same, left[1].same) == ("left", True, False)
    assert not other[0].same


@pytest.mark.parametrize("match", ["mean", "best"])
def test_too_many_people_for_the_model_are_detected(tmp_path, match):
    model = SiameseModel((8, 8, 1), "small_cnn", 8, head="cosine", threshold=0.5)
    model.head.bias.assign(2.0)  # the logit of a picture beside itself: 7 people are fewer than e ** 2, 8 are more
    save_model(model, tmp_path / "a.keras")
    model = load_model(tmp_path / "a.keras")
    rows = model.embed(images(8, seed=1))
    with Gallery.open(tmp_path / "g", model, create=True) as gallery:
        for number, row in enumerate(rows):
            assert gallery.can_match_anyone(match) == gallery.can_know(match) == (number > 0)
            gallery.enroll(f"person {number}", row)
        assert not gallery.can_match_anyone(match)
        assert not any(best[0].same for best in gallery.identify(rows, match=match))


# People


def test_people_can_be_added_to_listed_and_removed(gallery, model):
    embeddings = model.embed(images(4, seed=1))
    gallery.enroll("ben", embeddings[0])  # a single one
    gallery.enroll("anna", embeddings[1:3])
    gallery.enroll("ben", embeddings[3:])
    assert list(gallery.names().items()) == [("anna", 2), ("ben", 2)]
    assert len(gallery.identify(embeddings)[0]) == 2
    assert gallery.remove("ben") == 2
    assert gallery.names() == {"anna": 2}
    assert [one.name for one in gallery.identify(embeddings)[0]] == ["anna"]
    with pytest.raises(GalleryError, match="nobody named 'ben' is enrolled"):
        gallery.remove("ben")


ODD = ["Zoë", "Zoe\u0308", "O'Brien; DROP TABLE pictures;--", "李 👩🏽‍🔬", "a/../b", "-x", "%"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_names(gallery, model, name):
    picture = model.embed(images(1, seed=1))
    gallery.enroll(name, picture)
    gallery.enroll("somebody", picture)
    assert gallery.verify(name, picture).score == gallery.verify("somebody", picture).score
    assert gallery.remove(name) == 1
    assert gallery.names() == {"somebody": 1}


def test_one_name_spelt_in_two_ways_is_one_person(gallery, model):
    embeddings = model.embed(images(2, seed=1))
    gallery.enroll("Zoe\u0308", embeddings[:1])
    gallery.enroll("Zo\u00eb", embeddings[1:])
    assert gallery.names() == {"Zo\u00eb": 2}


@pytest.mark.parametrize("spelling", ["Anna\u00a0Berg", "Anna  Berg", "Anna\u2003Berg\u3000"])
def test_a_no_break_space_makes_no_second_anna(gallery, model, spelling):
    embeddings = model.embed(images(2, seed=1))
    gallery.enroll("Anna Berg", embeddings[0])
    gallery.enroll(spelling, embeddings[1])
    assert gallery.names() == {"Anna Berg": 2}
    assert gallery.verify(spelling, embeddings[0]).name == "Anna Berg"
    assert gallery.remove(spelling) == 2
    with pytest.raises(GalleryError, match="invisible characters"):
        gallery.enroll("Anna\u200d", embeddings[0])


def test_whom_an_earlier_release_enrolled_is_found_and_removed_by_the_old_name(model, tmp_path):
    """Two spellings of one name are one person, with the pictures of both; letters that cannot be seen are found."""
    embeddings = model.embed(images(4, seed=1))
    with sqlite3.connect(tmp_path / "g", isolation_level=None) as base:
        for statement in (*TABLES[1], f"PRAGMA application_id = {APPLICATION}", "PRAGMA user_version = 1"):
            base.execute(statement)
        base.execute("INSERT INTO model VALUES (?, 8)", (model.file_sha256,))
        pictures = zip(["Anna", "Anna\u00a0", "x\u3164", "ben"], map(bytes, embeddings), strict=True)
        base.executemany("INSERT INTO pictures (name, embedding) VALUES (?, ?)", pictures)
    base.close()
    with Gallery.open(tmp_path / "g", model) as gallery:
        for _ in range(2):  # as it is, and in version 2
            assert gallery.names() == gallery.check() == {"Anna": 2, "ben": 1, "x\u1160": 1}
            both = slow(model, embeddings[3], {"Anna": embeddings[:2]}, "mean")["Anna"]
            for name in ("Anna", "Anna\u00a0"):
                assert gallery.verify(name, embeddings[3]).score == pytest.approx(both, abs=1e-5)
            assert gallery.verify("x\u3164", embeddings[2]).name == "x\u1160"
            found = {one.name: one.score for one in gallery.identify(embeddings[3])[0]}
            assert found["Anna"] == pytest.approx(both, abs=1e-5)
            gallery.enroll("carl", embeddings[3])
            assert gallery.remove("carl") == 1
        assert gallery.remove("x\u3164") == 1
        assert gallery.remove("Anna\u00a0") == 2
        assert gallery.names() == {"ben": 1}


def test_an_empty_gallery_knows_nobody(gallery, model):
    embeddings = model.embed(images(2, seed=1))
    assert gallery.names() == {}
    assert gallery.identify(embeddings) == [[], []]
    with pytest.raises(GalleryError, match="nobody named 'anna' is enrolled.*siamese-tf gallery list"):
        gallery.verify("anna", embeddings[0])


def test_what_another_process_enrolls_is_found_too(gallery, model, tmp_path):
    embeddings = model.embed(images(2, seed=1))
    gallery.enroll("anna", embeddings[0])
    assert len(gallery.identify(embeddings[1])[0]) == 1
    with Gallery.open(tmp_path / "people.gallery", model) as other:
        other.enroll("ben", embeddings[1])
    assert sorted(one.name for one in gallery.identify(embeddings[1])[0]) == ["anna", "ben"]


def test_a_closed_gallery_raises_in_every_thread(filled, model):
    filled.identify(np.ones(8))
    filled.close()
    filled.close()
    one = np.ones(8)
    for call in (
        filled.names,
        filled.check,
        lambda: filled.enroll("anna", one),
        lambda: filled.verify("person 3", one),
        lambda: filled.identify(one),
        lambda: filled.remove("person 3"),
        filled.can_match_anyone,
    ):
        with ThreadPoolExecutor(1) as pool, pytest.raises(GalleryError, match="the gallery is closed. Open it again"):
            pool.submit(call).result()


def test_identify_follows_changes_by_other_threads_and_handles(filled, model, tmp_path, people):
    probe = model.embed(images(1, seed=100))
    assert len(filled.identify(probe, top=1000)[0]) == 25
    with Gallery.open(tmp_path / "people.gallery") as other, ThreadPoolExecutor(1) as pool:
        assert pool.submit(other.remove, "person 3").result() == 1
        assert len(filled.identify(probe, top=1000)[0]) == 24
        pool.submit(filled.remove, "person 4").result()
        assert len(filled.identify(probe, top=1000)[0]) == 23


def test_one_bit_makes_nobody_another(filled, model, tmp_path, people):
    """In the index, in a name or in an embedding: of "person 3", whose picture counted as that of "person 7"."""
    whole = (tmp_path / "people.gallery").read_bytes()
    probe = people["person 3"][0]
    right, other = filled.verify("person 3", probe), filled.verify("person 7", probe)
    places = [place for place in range(len(whole)) if whole.startswith(b"person 3", place)]
    assert len(places) == 2  # the row and its entry in the index
    places = [place + 7 for place in places] + [whole.index(probe.tobytes()) + 3]
    for place in places:
        content = bytearray(whole)
        content[place] ^= 4  # from 3 to 7
        (tmp_path / "people.gallery").write_bytes(content)
        answers = []
        for call in (
            lambda opened: opened.verify("person 3", probe) == right,
            lambda opened: opened.verify("person 7", probe) == other,
            lambda opened: len(opened.identify(probe, 1000)[0]) == 25,
            lambda opened: sum(opened.names().values()) == sum(map(len, people.values())),
            lambda opened: opened.check() == {},
        ):
            try:
                with Gallery.open(tmp_path / "people.gallery", model) as opened:
                    answers.append(call(opened))
            except GalleryError as error:
                answers.append("refused" if "damaged" in str(error) else error)
        assert set(answers) <= {True, "refused"}
        assert "refused" in answers[:4]
        assert answers[-1] == "refused"


def test_the_file_is_read_once_for_many_calls(filled, model, monkeypatch):
    embeddings = model.embed(images(2, seed=1))
    first = filled.identify(embeddings)
    monkeypatch.setattr(GalleryFile, "snapshot", lambda self: pytest.fail("read again"))
    assert filled.identify(embeddings) == first


def test_without_a_model_people_can_be_listed_and_removed(filled, model, tmp_path, people):
    with Gallery.open(tmp_path / "people.gallery") as other:
        assert other.remove("person 3") == 1
        assert len(other.names()) == len(people) - 1
        with pytest.raises(GalleryError, match="opened without a model"):
            other.verify("person 4", model.embed(images(1, seed=1)))
        with pytest.raises(GalleryError, match="opened without a model"):
            other.identify(model.embed(images(1, seed=1)))


def test_it_needs_no_tensorflow_to_enroll_list_and_remove(tmp_path):
    script = f"""
import sys
from types import SimpleNamespace
import numpy as np
from siamese_tf.inference.gallery import Gallery
model = SimpleNamespace(file_sha256="ab", embedding_dim=3)
with Gallery.open({str(tmp_path / "g")!r}, model, create=True) as gallery:
    gallery.enroll("anna", np.eye(3))
    assert gallery.names() == {{"anna": 3}}
    assert gallery.remove("anna") == 3
assert "tensorflow" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Refusals


def test_another_models_gallery_is_refused_and_left_as_it_is(tmp_path):
    with Gallery.open(tmp_path / "g", fake(), create=True) as gallery:
        gallery.enroll("anna", np.eye(8))
    before = (tmp_path / "g").read_bytes()
    for other in (fake("cd" * 32), fake(dim=9)):
        for create in (False, True):
            with pytest.raises(
                GalleryError,
                match=r"SHA-256 abababababababab\.\.\., since embeddings of two models cannot be compared; got",
            ):
                Gallery.open(tmp_path / "g", other, create=create)
    assert (tmp_path / "g").read_bytes() == before


def test_a_model_without_a_file_is_refused(tmp_path):
    with pytest.raises(GalleryError, match="siamese_tf.load_model"):
        Gallery.open(tmp_path / "g", fake(None), create=True)
    assert not (tmp_path / "g").exists()


def test_a_missing_gallery_is_not_made_by_the_way(model, tmp_path):
    for given in (None, model):
        with pytest.raises(GalleryError, match="a path that does not exist"):
            Gallery.open(tmp_path / "g", given)
    assert not (tmp_path / "g").exists()


@pytest.mark.parametrize("bad", [np.zeros(8), np.r_[np.nan, np.ones(7)], np.r_[np.inf, np.ones(7)], np.full(8, 1e-9)])
def test_an_embedding_that_cannot_be_compared_is_refused(filled, model, bad):
    before = filled.names()
    stack = np.stack([np.ones(8), bad])
    for refused in (
        lambda: filled.enroll("anna", stack),
        lambda: filled.verify("person 3", bad),
        lambda: filled.identify(stack),
    ):
        with pytest.raises(ImageError, match="embeddings must be finite and not zero"):
            refused()
    assert filled.names() == before


@pytest.mark.parametrize("shape", [(7,), (2, 9), (2, 8, 1), ()])
def test_an_embedding_of_another_shape_is_refused(filled, shape):
    bad = np.ones(shape)
    for refused in (
        lambda: filled.enroll("anna", bad),
        lambda: filled.verify("person 3", bad),
        lambda: filled.identify(bad),
    ):
        with pytest.raises(ImageError, match=r"must have shape \(n, 8\)"):
            refused()


@pytest.mark.parametrize("bad", ["a face", None, [[1, 2], [3]], [object()] * 8])
def test_what_is_no_embedding_is_refused(filled, bad):
    for refused in (
        lambda: filled.enroll("anna", bad),
        lambda: filled.verify("person 3", bad),
        lambda: filled.identify(bad),
    ):
        with pytest.raises(ImageError, match="embeddings must be an .* array of numbers|must have shape"):
            refused()


def test_other_counts_of_embeddings_are_refused(filled):
    with pytest.raises(ImageError, match="at least one"):
        filled.enroll("anna", np.ones((0, 8)))
    with pytest.raises(ImageError, match="got 2 embeddings"):
        filled.verify("person 3", np.ones((2, 8)))
    assert filled.identify(np.ones((0, 8))) == []


def test_other_settings_and_names_are_refused(filled):
    one = np.ones(8)
    for refused in (lambda: filled.identify(one, match="worst"), lambda: filled.verify("person 3", one, "worst")):
        with pytest.raises(ConfigError, match="match must be one of mean, best; got 'worst'"):
            refused()
    for top in (0, 2.5, "a", None, True):
        with pytest.raises(ConfigError, match="top must be an integer of 1 or more"):
            filled.identify(one, top=top)
    for refused in (lambda: filled.enroll("a\nb", one), lambda: filled.verify("", one), lambda: filled.remove(" ")):
        with pytest.raises(GalleryError, match="a name must be text"):
            refused()
