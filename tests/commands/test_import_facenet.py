"""The command of `models/pretrained/import_facenet.py`, whose test covers the weight files."""

import sys

import numpy as np
import pytest
import typer

from siamese_tf.commands.import_facenet import import_facenet
from siamese_tf.console import run_command
from siamese_tf.models.model_file import load_model
from siamese_tf.models.pretrained import import_facenet as module
from siamese_tf.models.siamese_model import SiameseModel


@pytest.fixture
def type_in(monkeypatch, capsys):
    """The command with these words: its exit code, and what it printed."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command()(import_facenet)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["import-facenet", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            run_command(alone)
        return end.value.code or 0, *capsys.readouterr()

    return run


def test_it_writes_a_model_that_loads_and_prints_that_it_is_not_calibrated(type_in, tmp_path, monkeypatch):
    model = SiameseModel((8, 8, 1), "reference", 4, head="cosine")
    monkeypatch.setattr(module, "import_facenet", lambda path: model if path.name == "weights.npz" else None)
    code, out, err = type_in(tmp_path / "weights.npz", tmp_path / "new" / "faces.keras")
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first == f"wrote {tmp_path / 'new' / 'faces.keras'}: faces of 8x8x1 to embeddings of 4 values"
    assert "not calibrated" in second
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), np.uint8)
    loaded = load_model(tmp_path / "new" / "faces.keras")
    np.testing.assert_array_equal(loaded.embed(images), model.embed(images))


def test_the_threshold_it_speaks_of_is_that_of_a_new_model():
    """Two embeddings at 60 degrees."""
    model = SiameseModel((8, 8, 1), "reference", 4, head="cosine")
    embeddings = np.array([[1, 0, 0, 0], [0.5, 0.75**0.5, 0, 0]], np.float32)
    assert model.pair_logits(embeddings, np.array([0]), np.array([1]))[0] == pytest.approx(0, abs=1e-5)
    assert model.threshold == 0.5


@pytest.mark.parametrize(
    ("file", "out", "finding"),
    [
        ("gone.npz", "a.keras", "gone.npz: No such file"),
        ("weights.bin", "a.keras", "weights must be a .safetensors, .npz, .pt, .pth file"),
        ("gone.npz", "a.h5", "a model file must be named *.keras; got"),
    ],
)
def test_what_cannot_be_done_is_one_message_and_writes_nothing(type_in, tmp_path, file, out, finding):
    code, printed, err = type_in(tmp_path / file, tmp_path / out)
    assert (code, printed) == (2, "")
    assert err.startswith("error: ")
    assert finding in err
    assert list(tmp_path.iterdir()) == []
