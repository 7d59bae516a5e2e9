"""Public names of the package: they are imported on first use, and the import of the package is fast."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import siamese_tf

ROOT = Path(__file__).resolve().parents[1]
SLOW_TO_IMPORT = {"tensorflow", "keras", "numpy", "scipy", "sklearn", "matplotlib", "PIL", "h5py"}


def test_every_public_name_is_that_of_its_module():
    assert siamese_tf.__all__[0] == "__version__"
    for name in siamese_tf.__all__[1:]:
        thing = getattr(siamese_tf, name)
        home = import_module(thing.__module__)
        assert home.__name__.startswith("siamese_tf.")
        assert getattr(home, name) is thing
        assert thing.__doc__


def test_the_names_work_in_a_from_import():
    from siamese_tf import make_pairs

    img1, _, _ = make_pairs(np.array([0, 0, 1, 1]), 2, seed=0)
    assert len(img1) == 2


def test_the_error_for_an_unknown_name_lists_the_public_names():
    with pytest.raises(
        AttributeError, match=r"module 'siamese_tf' has no attribute 'loadmodel'; public names: .*load_model"
    ):
        _ = siamese_tf.loadmodel
    assert not hasattr(siamese_tf, "tensorflow")


def test_dir_lists_the_public_names():
    assert dir(siamese_tf) == sorted(siamese_tf.__all__)


@pytest.mark.parametrize(
    ("start", "but"),
    [
        ("import siamese_tf", set()),
        ("from siamese_tf import SiameseError", set()),
        ("from siamese_tf import TrainConfig; TrainConfig(epochs=3)", set()),
        ("import siamese_tf.cli", set()),
        ("command('--help')", set()),
        ("command('train', '--help')", set()),
        ("command('train', '--epochs', '0')", set()),
        ("command('evaluate', 'model.keras')", set()),
        ("command('pairs', 'check', 'none.npz')", {"numpy"}),
    ],
)
def test_the_import_loads_no_slow_modules(start, but):
    script = (
        "import sys\n"
        "def command(*words):\n"
        "    from siamese_tf.cli import main\n"
        "    sys.argv = ['siamese-tf', *words]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit:\n"
        "        pass\n"
        f"{start}\n"
        f"loaded = set(sys.modules) & {SLOW_TO_IMPORT - but}\n"
        "assert not loaded, loaded\n"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
