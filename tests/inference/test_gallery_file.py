"""The file of a gallery: round trips, killed processes, concurrent writers, and foreign or damaged files."""

import os
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.errors import GalleryError
from siamese_tf.inference import gallery_database
from siamese_tf.inference.gallery_file import GalleryFile
from siamese_tf.inference.gallery_schema import APPLICATION, TABLES

ROOT = Path(__file__).resolve().parents[2]
NEW = ("ab" * 32, 8)


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "people.gallery"


@pytest.fixture
def file(path):
    with GalleryFile(path, NEW) as file:
        yield file


@pytest.fixture
def quick():
    """A place for a gallery in memory, where there is such a folder: many more writes a second, and no other result."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder) / "people.gallery"


def run(script: str, *arguments: object) -> subprocess.Popen:
    """Python in a process of its own; it ends by itself, and with a message where something is wrong."""
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # so that a process may fork
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)


def integrity(path: Path) -> str:
    base = sqlite3.connect(path)
    try:
        return base.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        base.close()


# There and back


def test_what_was_added_comes_back_bit_for_bit(path):
    anna, ben, more = rows(2, seed=1), rows(1, seed=2), rows(3, seed=3)
    with GalleryFile(path, NEW) as file:
        file.add(["ben"], ben)
        file.add(["anna"] * 2, anna)
        file.add(["ben"] * 3, more)
    with GalleryFile(path) as file:
        assert (file.model_sha256, file.embedding_dim) == NEW
        assert list(file.counts().items()) == [("anna", 2), ("ben", 4)]
        np.testing.assert_array_equal(file.of("ben"), np.concatenate([ben, more]))
        assert file.of("nobody").shape == (0, 8)
        _, counts, everything = file.snapshot()
        assert list(counts.items()) == [("anna", 2), ("ben", 4)]
        np.testing.assert_array_equal(everything, np.concatenate([anna, ben, more]))
        assert everything.dtype == np.float32


def test_a_new_gallery_holds_nobody(file):
    assert file.counts() == {}
    _, counts, everything = file.snapshot()
    assert (counts, everything.shape) == ({}, (0, 8))


def test_a_removed_person_is_gone_from_the_bytes_too(path, file):
    anna, ben = rows(1, seed=1), rows(1, seed=2)
    file.add(["anna Überall", "ben"], np.concatenate([anna, ben]))
    assert anna.tobytes() in path.read_bytes()
    assert file.remove("anna Überall") == 1
    assert file.remove("anna Überall") == 0
    assert file.counts() == {"ben": 1}
    left = path.read_bytes()
    assert ben.tobytes() in left
    assert anna.tobytes() not in left
    assert "anna Überall".encode() not in left


def test_it_is_one_file_for_its_owner_alone_with_names_and_numbers_only(path, file):
    file.add(["anna"], rows(1))
    assert os.listdir(path.parent) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    base = sqlite3.connect(path)
    columns = [column for table in ("model", "people") for column in base.execute(f"PRAGMA table_info({table})")]
    base.close()
    assert [column[1] for column in columns] == [
        "sha256",
        "embedding_dim",
        "digest",
        "id",
        "name",
        "digest",
        "embeddings",
    ]


def test_the_folder_is_made(tmp_path):
    GalleryFile(tmp_path / "a" / "b?c#%20.gallery", NEW).close()
    assert os.listdir(tmp_path / "a") == ["b?c#%20.gallery"]


def test_a_gallery_that_is_there_keeps_its_model(path, file):
    file.add(["anna"], rows(1))
    with GalleryFile(path, ("cd" * 32, 9)) as again:
        assert (again.model_sha256, again.embedding_dim) == NEW
        assert again.counts() == {"anna": 1}


def test_the_version_changes_when_another_has_changed_the_file(path, file):
    before = file.version()
    assert file.version() == before
    with GalleryFile(path) as other:
        other.add(["anna"], rows(1))
    assert file.version() != before
    assert file.counts() == {"anna": 1}


# Removed means gone


def traces(folder: Path, person: dict[str, np.ndarray]) -> list[str]:
    """Returns the names and embeddings of people that the files of a folder hold."""
    content = b"".join(file.read_bytes() for file in folder.iterdir())
    numbers = {name: row.tobytes()[:24] for name, embeddings in person.items() for row in embeddings}
    return [name for name in person if name.encode() in content or numbers[name] in content]


def change_at_random(path: Path, seed: int, changes: int, dim: int) -> None:
    """Enrolls and removes people, some with many pictures; nobody may leave a trace."""
    rng, rng = random.Random(seed), np.random.default_rng(seed)
    there: dict[str, np.ndarray] = {}
    gone: dict[str, np.ndarray] = {}
    with GalleryFile(path, ("ab" * 32, dim)) as file:
        for change in range(changes):
            if there and rng.random() < 0.3:
                name = rng.choice(list(there))
                assert file.remove(name) == len(there[name])
                gone[name] = there.pop(name)
                assert traces(path.parent, gone) == []
            else:
                name = f"person <{change}> {rng.random()}"
                if there and rng.random() < 0.2:
                    name = rng.choice(list(there))
                more = rng.normal(size=(rng.choice((1, 5, 10)), dim)).astype(np.float32)
                file.add([name] * len(more), more)
                there[name] = np.concatenate([there.get(name, more[:0]), more])
        assert traces(path.parent, there) == list(there)
        assert file.counts() == {name: len(there[name]) for name in sorted(there)}
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("seed", [86, 114, 120])
def test_nothing_is_left_of_whom_was_removed_after_random_changes(quick, seed):
    """With `secure_delete` alone, something is: SQLite moves rows between pages, and leaves copies of them behind."""
    change_at_random(quick, seed, changes=60, dim=128)


@pytest.mark.slow
def test_nothing_is_left_in_hundreds_of_galleries(quick):
    for seed in range(365):
        change_at_random(quick.with_name(f"{seed}") / "people.gallery", seed, changes=60, dim=128)


# Killed, and several at once

KILL = """
import os, random, signal, sys, time
import numpy as np
from siamese_tf.inference.gallery_file import GalleryFile
assert "tensorflow" not in sys.modules
path, seed = sys.argv[1], int(sys.argv[2])
chance = random.Random(seed)
expected = {}
for life in range(50):
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        with GalleryFile(path, ("ab" * 32, 8)) as file:
            for number in range(10_000):
                file.add([f"{life} {number}"] * 3, np.full((3, 8), life + number / 1000 + 1, np.float32))
                os.write(into, b".")  # acknowledged
        os._exit(3)
    os.close(into)
    if life % 5:
        os.read(out, 1)  # most are killed at work, some while they open the file
        expected[f"{life} 0"] = 3
    time.sleep(chance.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    acknowledged = (life % 5 > 0) + len(os.read(out, 100_000))
    os.close(out)
    expected.update({f"{life} {number}": 3 for number in range(acknowledged)})
    with GalleryFile(path, ("ab" * 32, 8)) as file:
        found = file.counts()
        lost = {name: count for name, count in expected.items() if found.get(name) != count}
        assert not lost, f"acknowledged and lost: {lost}"
        more = set(found) - set(expected)  # the one that was on the disk, but not yet acknowledged
        assert more <= {f"{life} {acknowledged}"}, more
        assert set(found.values()) <= {3}, "half of an enrolment"
        for name in list(expected)[-3:]:
            life_of, number = map(int, name.split())
            assert (file.of(name) == np.float32(life_of + number / 1000 + 1)).all()
    expected = found
print(len(expected))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_what_was_acknowledged_outlives_fifty_kills_and_the_file_is_whole(quick):
    done = run(KILL, quick, 7)
    out, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    assert int(out) >= 40
    assert integrity(quick) == "ok"


KILL_REMOVE = """
import os, random, signal, sys, time
import numpy as np
from siamese_tf.inference.gallery_file import GalleryFile
path, seed = sys.argv[1], int(sys.argv[2])
chance = random.Random(seed)
everybody = [f"person <{number}>" for number in range(60)]
rows = np.random.default_rng(seed).normal(size=(60, 512)).astype(np.float32)
cut = 0
for life in range(int(sys.argv[3])):
    with GalleryFile(path, ("ab" * 32, 512)) as file:
        before = file.counts()
        missing = [number for number, name in enumerate(everybody) if name not in before]
        file.add([everybody[number] for number in missing], rows[missing])
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        with GalleryFile(path) as file:
            for number in range(60):
                assert file.remove(everybody[number]) == 1
                os.write(into, b".")
        os._exit(3)
    os.close(into)
    os.read(out, 1)
    time.sleep(chance.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    acknowledged = 1 + len(os.read(out, 100))
    os.close(out)
    journal = path + "-journal"
    cut += os.path.exists(journal)
    with GalleryFile(path) as file:
        left = file.check()
        assert list(left.values()) == [1] * len(left)
        assert len(left) in (60 - acknowledged, 59 - acknowledged), (len(left), acknowledged)
        gone = 60 - len(left)
        assert list(left) == sorted(everybody[gone:])
        assert (file.of(everybody[gone]) == rows[gone]).all()
    assert not os.path.exists(journal)
    content = open(path, "rb").read()
    for number in range(gone):
        assert everybody[number].encode() not in content, "a name is left"
        assert rows[number].tobytes()[:16] not in content, "an embedding is left"
print(cut)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
@pytest.mark.parametrize("kills", [8, pytest.param(50, marks=pytest.mark.slow)])
def test_who_is_removed_when_the_process_is_killed_is_there_whole_or_gone_without_a_trace(quick, kills):
    done = run(KILL_REMOVE, quick, 7, kills)
    out, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    assert int(out) > kills / 8  # that many were killed within a change
    assert integrity(quick) == "ok"


WRITE = """
import sys
import numpy as np
from siamese_tf.inference.gallery_file import GalleryFile
path, who = sys.argv[1:]
for number in range(40):
    with GalleryFile(path, ("ab" * 32, 8)) as file:
        file.add([f"{who} {number}", "both"], np.full((2, 8), number + 1, np.float32))
        if number % 4 == 3:
            assert file.remove(f"{who} {number}") == 1
"""


def test_two_writers_lose_nothing(quick):
    """They make the file, too: whoever is first."""
    writers = [run(WRITE, quick, who) for who in ("one", "two")]
    for writer in writers:
        _, err = writer.communicate(timeout=120)
        assert writer.returncode == 0, err
    with GalleryFile(quick) as file:
        counts = file.counts()
        np.testing.assert_array_equal(np.sort(file.of("both")[:, 0]), np.repeat(np.arange(40) + 1, 2))
    assert counts.pop("both") == 80
    assert counts == {f"{who} {number}": 1 for who in ("one", "two") for number in range(40) if number % 4 < 3}
    assert integrity(quick) == "ok"


def test_sixteen_threads_lose_nothing(quick):
    """Each enrolls, removes, reads and counts, in one gallery that was opened elsewhere."""

    def work(who: int) -> None:
        for number in range(3):
            file.add([f"{who} {number}", "all"], np.full((2, 8), 1 + who, np.float32))
            assert (file.of(f"{who} {number}") == 1 + who).all()
            assert file.counts()["all"] >= number + 1
            file.version()
        assert file.remove(f"{who} 0") == 1

    with GalleryFile(quick, NEW) as file, ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
        assert file.check() == {f"{who} {number}": 1 for who in range(16) for number in (1, 2)} | {"all": 48}


FORK = """
import os, sys
import numpy as np
from siamese_tf.inference.gallery_file import GalleryFile
file = GalleryFile(sys.argv[1], ("ab" * 32, 8))
file.add(["parent"], np.ones((1, 8), np.float32))
children = []
for number in range(4):
    children.append(os.fork())
    if children[-1] == 0:
        for again in range(5):
            file.add([f"child {number}"], np.ones((1, 8), np.float32))
            assert len(file.of(f"child {number}")) == again + 1
        os._exit(0)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
assert file.check() == {f"child {number}": 5 for number in range(4)} | {"parent": 1}
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_a_forked_process_may_use_a_gallery_that_was_opened_before(quick):
    done = run(FORK, quick)
    _, err = done.communicate(timeout=60)
    assert done.returncode == 0, err


def test_a_writer_waits_for_another_and_fails_after_the_timeout(path, file, monkeypatch):
    monkeypatch.setattr(gallery_database, "LOCK_TIMEOUT", 0.01)
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("BEGIN IMMEDIATE")
    try:
        with GalleryFile(path) as other, pytest.raises(GalleryError, match=r"database is locked.*Another process"):
            other.add(["anna"], rows(1))
    finally:
        base.close()
    with GalleryFile(path) as other:
        other.add(["anna"], rows(1))
        assert other.counts() == {"anna": 1}


def test_an_enrolment_that_fails_in_the_middle_leaves_nothing(file):
    with pytest.raises(ValueError, match="shorter"):
        file.add(["anna", "ben", "carl"], rows(2))
    assert file.counts() == {}
    file.add(["anna"], rows(1))
    assert file.counts() == {"anna": 1}


# Files that are no gallery


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a gallery of siamese_tf"),
        (b"only text, and quite some of it, more than a header has" * 20, "not a gallery, or is damaged"),
        (b"SQLite format 3\0" + b"\xff" * 600, "not a gallery, or is damaged"),
        (None, "must be a gallery; got a path that does not exist"),
    ],
)
def test_other_files_are_refused_and_left_as_they_are(path, content, words):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GalleryError, match=words) as refused:
        GalleryFile(path)
    assert str(path) in str(refused.value)
    assert path.exists() == (content is not None)
    if content:
        with pytest.raises(GalleryError, match=words):
            GalleryFile(path, NEW)
        assert path.read_bytes() == content


def test_a_folder_is_no_gallery(tmp_path):
    with pytest.raises(GalleryError, match="a path that is not a file"):
        GalleryFile(tmp_path, NEW)


def test_a_foreign_data_base_is_refused_and_left_as_it_is(path):
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE songs (title)")
    base.close()
    before = path.read_bytes()
    for new in (None, NEW):
        with pytest.raises(GalleryError, match="not a gallery of siamese_tf"):
            GalleryFile(path, new)
    assert path.read_bytes() == before


def filled(path: Path) -> bytes:
    with GalleryFile(path, NEW) as file:
        file.add([f"person {number}" for number in range(300)], rows(300))
    return path.read_bytes()


def test_a_gallery_cut_short_or_overwritten_is_refused(path, monkeypatch):
    monkeypatch.setattr(
        gallery_database, "SETTINGS", (*gallery_database.SETTINGS[:3], "synchronous = OFF", "page_size = 1024")
    )
    whole = filled(path)
    noise = np.random.default_rng(0).integers(0, 256, 1024, np.uint8).tobytes()
    pages = range(1, len(whole) // 1024)
    assert len(pages) > 10
    damaged = [whole[:1500], whole[: len(whole) // 2]]
    damaged += [whole[: 1024 * page] + noise + whole[1024 * (page + 1) :] for page in pages]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(GalleryError, match=r"people\.gallery: "), GalleryFile(path) as file:
            file.snapshot()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="rights do not bind the superuser")
def test_a_gallery_without_the_right_to_write_can_be_read(path):
    filled(path)
    path.chmod(0o400)
    with GalleryFile(path) as file:
        assert len(file.counts()) == 300
        with pytest.raises(GalleryError, match="Check its permissions"):
            file.add(["anna"], rows(1))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for new in (None, NEW):
        with pytest.raises(GalleryError, match="a path that is not a file"):
            GalleryFile(tmp_path / "pipe", new)


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_path_that_cannot_be_one_is_refused(tmp_path, name):
    for new in (None, NEW):
        with pytest.raises(GalleryError, match="null character|name too long"):
            GalleryFile(tmp_path / name, new)
    assert os.listdir(tmp_path) == []


def test_links_are_followed_and_those_in_a_circle_refused(path, file, tmp_path):
    (tmp_path / "link").symlink_to(path)
    with GalleryFile(tmp_path / "link") as linked:
        linked.add(["anna"], rows(1))
    assert file.counts() == {"anna": 1}
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(GalleryError, match="circle"):
        GalleryFile(tmp_path / "circle")


def test_a_closed_gallery_raises(file, path):
    file.close()
    file.close()
    for call in (
        file.counts,
        file.snapshot,
        file.version,
        file.check,
        lambda: file.of("anna"),
        lambda: file.remove("anna"),
    ):
        with pytest.raises(GalleryError, match="the gallery is closed. Open it again") as refused:
            call()
        assert str(refused.value).startswith(f"{path}: ")
    with pytest.raises(GalleryError, match="the gallery is closed"):
        file.add(["anna"], rows(1))


def test_a_gallery_that_is_gone_or_anothers_is_no_damaged_one(file, path, tmp_path):
    GalleryFile(tmp_path / "other", ("cd" * 32, 8)).close()
    (tmp_path / "other").replace(path)
    with pytest.raises(GalleryError, match="replaced with another model's gallery"):
        file.counts()
    path.unlink()
    with pytest.raises(GalleryError, match="cannot be used now.*Check that it exists"):
        file.counts()


def test_a_damaged_structure_is_found_when_a_gallery_is_opened(path):
    whole = bytearray(filled(path))
    whole[16384 + 4] ^= 1  # in the number of rows on a page of people: some of them vanish, or others appear
    path.write_bytes(whole)
    with pytest.raises(GalleryError, match="damaged"):
        GalleryFile(path)


def test_check_looks_at_the_index_and_a_miss_at_the_rows(path, monkeypatch):
    with GalleryFile(path, NEW) as file:
        file.add(["anna", "ben"], rows(2))
        assert file.check() == {"anna": 1, "ben": 1}
        whole = path.read_bytes()
        index = whole.rindex(b"anna")
        assert whole.count(b"anna") == 2
        path.write_bytes(whole[:index] + b"anno" + whole[index + 4 :])
        with GalleryFile(path) as other:
            assert other.counts() == {"anna": 1, "ben": 1}
        with pytest.raises(GalleryError, match="the gallery is damaged: row 1 missing from index people_by_name"):
            file.check()
        for _ in range(2):  # at once, and when the names have been read
            with pytest.raises(GalleryError, match="the index lacks 'anna'"):
                file.of("anna")
        with pytest.raises(GalleryError, match="'anno' do not match their digest"):
            file.of("anno")
        assert len(file.of("ben")) == 1
        assert len(file.of("nobody")) == 0


# Galleries of earlier releases


def version_1(path: Path, names: list[str], embeddings: np.ndarray) -> None:
    base = sqlite3.connect(path, isolation_level=None)
    for statement in (*TABLES[1], f"PRAGMA application_id = {APPLICATION}", "PRAGMA user_version = 1"):
        base.execute(statement)
    base.execute("INSERT INTO model VALUES (?, ?)", NEW)
    pictures = [(name, row.tobytes()) for name, row in zip(names, embeddings, strict=True)]
    base.executemany("INSERT INTO pictures (name, embedding) VALUES (?, ?)", pictures)
    base.close()


OLD_NAMES = ["Anna", "Anna\u00a0", "\u3164", "ben", "Anna"]


def test_a_gallery_of_version_1_is_read_as_it_is(path):
    version_1(path, OLD_NAMES, rows(5))
    before = path.read_bytes()
    with GalleryFile(path, NEW) as file:
        assert file.counts() == file.check() == {"Anna": 3, "ben": 1, "\u1160": 1}
        np.testing.assert_array_equal(file.of("Anna"), rows(5)[[0, 1, 4]])
        assert file.of("nobody").shape == (0, 8)
        np.testing.assert_array_equal(file.snapshot()[2], rows(5)[[0, 1, 4, 3, 2]])
        assert file.remove("nobody") == 0
    assert path.read_bytes() == before


def test_the_first_change_makes_it_version_2(path):
    version_1(path, OLD_NAMES, rows(5))
    before = path.read_bytes()
    with GalleryFile(path) as file, GalleryFile(path) as other:
        assert other.counts()["Anna"] == 3
        file.add(["Anna"], rows(1, seed=1))
        assert file.counts() == other.counts() == {"Anna": 4, "ben": 1, "\u1160": 1}
        np.testing.assert_array_equal(other.of("Anna"), np.concatenate([rows(5)[[0, 1, 4]], rows(1, seed=1)]))
    assert integrity(path) == "ok"
    path.write_bytes(before)
    with GalleryFile(path) as file:
        assert file.remove("Anna") == 3
        assert file.counts() == {"ben": 1, "\u1160": 1}
    assert b"Anna" not in path.read_bytes()


def test_a_change_to_version_1_is_detected(path):
    version_1(path, OLD_NAMES, rows(5))
    with GalleryFile(path) as file:
        first = file.version()
        assert file.version() != first  # too fresh to tell one change from the next
        os.utime(path, (1e9, 1e9))
        assert file.version() == file.version()
        second = file.version()
        os.utime(path, (1e9 + 1, 1e9 + 1))
        assert file.version() != second


def test_an_index_of_version_1_is_not_believed(path):
    version_1(path, OLD_NAMES, rows(5))
    whole = path.read_bytes()
    index = whole.rindex(b"ben")
    path.write_bytes(whole[:index] + b"Ben" + whole[index + 3 :])
    with GalleryFile(path) as file:
        for call in (
            file.counts,
            file.snapshot,
            lambda: file.of("ben"),
            lambda: file.of("Ben"),
            lambda: file.remove("ben"),
        ):
            with pytest.raises(GalleryError, match="missing from index"):
                call()
