"""The attack corpus through every way in: `siamese_tf.load_model`, `keras.models.load_model`, the command line.

No code may run, no other file may be opened, and what is refused is refused with an error of this project.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from attack_corpus import BOTH, NEITHER, Attack, Corpus
from PIL import Image
from tensorflow import keras

from siamese_tf.errors import ModelFileError
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.siamese_model import SiameseModel

# A part of the corpus in every run, all of it among the slow tests.
EVERY = pytest.mark.parametrize(
    "every", [pytest.param(10, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)]
)
IN_OPEN, IN_NONBLOCK = 0x20, 0x800


class Watch:
    """Notices whether files are opened, also by C libraries."""

    def __init__(self, paths: list[Path]):
        if sys.platform != "linux":
            pytest.skip("inotify is of Linux")
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = libc.inotify_init1(IN_NONBLOCK)
        for path in paths:
            assert libc.inotify_add_watch(self.descriptor, os.fsencode(path), IN_OPEN) >= 0

    def opened(self) -> bool:
        """Whether one was opened since the last call."""
        try:
            return bool(os.read(self.descriptor, 2**16))
        except BlockingIOError:
            return False


@pytest.fixture(scope="module")
def good() -> SiameseModel:
    model = SiameseModel((8, 8, 1), "reference", 4, record={"seed": 1})
    *weights, bias = model.tower.get_weights()
    model.tower.set_weights([*weights, bias + 0.5])  # an embedding of 0, behind the last ReLU, would be refused
    return model


@pytest.fixture(scope="module")
def corpus(good, tmp_path_factory) -> Corpus:
    folder = tmp_path_factory.mktemp("attacks")
    save_model(good, folder / "good.keras")
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / name)
    return Corpus(folder, (folder / "good.keras").read_bytes())


@pytest.fixture(scope="module")
def attacks(corpus) -> list[Attack]:
    found = list(corpus.attacks())
    assert len({attack.content for attack in found}) > 600
    assert len({attack.name for attack in found}) == len(found)
    assert corpus.good not in [attack.content for attack in found]
    assert not corpus.marker.exists()
    return found


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """HDF5 looks for external files in the folder of the file, and in this one."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def faults(corpus: Corpus, attacks: list[Attack], load: Callable[[Path], str]) -> str:
    """What goes wrong with each file, one a line.

    `load` answers with an empty text where it refuses a file as it should, otherwise with what it did instead.
    """
    found, watch, path = [], Watch(corpus.secrets), corpus.folder / "hostile.keras"
    with working_in(corpus.folder):
        for attack in attacks:
            path.write_bytes(attack.content)
            answer = load(path)
            if answer and not (answer == "loads the good model" and attack.loads != NEITHER):
                found.append(f"{attack.name}: {answer}")
            if corpus.marker.exists():
                corpus.marker.rmdir() if corpus.marker.is_dir() else corpus.marker.unlink()
                found.append(f"{attack.name}: runs code")
            if watch.opened():
                found.append(f"{attack.name}: opens another file")
    return "\n".join(found)


def loads(model: keras.Model, good: SiameseModel) -> str:
    same = isinstance(model, SiameseModel) and model.get_config() == good.get_config()
    weights = zip(model.get_weights(), good.get_weights(), strict=False)
    same = same and all(one.tobytes() == other.tobytes() for one, other in weights)
    return "loads the good model" if same else "loads another model"


@EVERY
def test_our_loader_refuses_them(corpus, attacks, good, every):
    def load(path: Path) -> str:
        try:
            return loads(load_model(path), good)
        except ModelFileError as error:
            text = str(error)
            return "" if text.startswith(f"{path} is not") and len(text) < 1000 else f"answers {text}"
        except Exception as error:
            return f"raises {error!r:.300}"

    ours = [attack if attack.loads == BOTH else attack._replace(loads=NEITHER) for attack in attacks[::every]]
    assert faults(corpus, ours, load) == ""


@EVERY
@pytest.mark.filterwarnings("ignore")
def test_the_loader_of_keras_refuses_them(corpus, attacks, good, every):
    def load(path: Path) -> str:
        try:
            return loads(keras.models.load_model(path), good)
        except Exception:
            return ""

    assert faults(corpus, attacks[::every], load) == ""


@EVERY
def test_the_command_line_refuses_them(corpus, attacks, run, every):
    def load(path: Path) -> str:
        done = run(f"score {path} a.png b.png")
        if done.code == 0:
            return "loads the good model"
        right = done.code == 2 and done.out == "" and "Traceback" not in done.err and "\x1b" not in done.err
        return "" if right and "hostile.keras" in done.err else f"exit code {done.code}: {done.err:.200}"

    ours = [attack if attack.loads == BOTH else attack._replace(loads=NEITHER) for attack in attacks[::every]]
    assert faults(corpus, ours, load) == ""


@pytest.mark.slow
def test_so_does_a_process_of_its_own(corpus, attacks):
    # The first of each kind: the choice does not depend on how many attacks there are.
    kinds = {attack.name.split(":")[0]: attack for attack in reversed(attacks) if attack.loads == NEITHER}
    chosen = [*kinds.values()]
    assert len(chosen) >= 7
    command = "from siamese_tf.cli import main; main()"
    program = "import sys, siamese_tf, keras\nfor path in sys.argv[1:]:\n    keras.models.load_model(path)"

    def load(path: Path) -> str:
        commands = (("-c", command, "score", path, "a.png", "b.png"), ("-c", program, path))
        done = [subprocess.run([sys.executable, *command], capture_output=True, check=False) for command in commands]
        codes = [process.returncode for process in done]
        return "" if codes == [2, 1] and b"Traceback" not in done[0].stderr else f"exit codes {codes}"

    assert faults(corpus, chosen, load) == ""


@pytest.mark.parametrize("name", ["class: get_file instead", "class: get_file under our name"])
def test_a_file_that_names_a_function_of_keras_gives_no_model(corpus, attacks, name):
    """Keras alone reads it, since its class is not ours: Keras 3 refuses it, 2.15 returns the function uncalled."""
    (attack,) = (attack for attack in attacks if attack.name == name)
    path = corpus.folder / "hostile.keras"
    path.write_bytes(attack.content)
    with suppress(ValueError):
        assert keras.models.load_model(path) is keras.utils.get_file
    with pytest.raises(ModelFileError):
        load_model(path)


def test_the_payloads_work(corpus):
    """Or the tests above would find nothing."""
    import pickle

    for name, payload in corpus.payloads().items():
        pickle.loads(pickle.dumps(payload))
        assert corpus.marker.exists(), name
        corpus.marker.rmdir() if corpus.marker.is_dir() else corpus.marker.unlink()


def test_the_watch_notices(corpus):
    watch = Watch(corpus.secrets)
    assert not watch.opened()
    corpus.secrets[0].read_bytes()
    assert watch.opened()
    assert not watch.opened()
