"""One short training for the tests of all commands, and a keyboard in its folder."""

import io
import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from siamese_tf.data.sources import load_source
from siamese_tf.models.model_file import load_model

SETTINGS = "train --dataset digits --objective bce --tower reference --embedding-dim 8 --batch-pairs 256"


@pytest.fixture(scope="session")
def trained(call, tmp_path_factory):
    """A run of two epochs, what was typed and printed, its model, and a few digits as files."""
    folder = tmp_path_factory.mktemp("commands")
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "stdout", printed)
        code = call(f"{SETTINGS} --epochs 2 --workdir run")
    digits = load_source("digits").images
    for number in range(8):
        Image.fromarray(digits[number, ..., 0]).save(folder / f"{number}.png")
    return SimpleNamespace(
        folder=folder,
        settings=SETTINGS,
        code=code,
        printed=printed.getvalue(),
        model=load_model(folder / "run" / "siamese.keras"),
        digits=digits,
    )


@pytest.fixture
def run(run, trained, monkeypatch):
    """As `run` elsewhere, in the folder of the trained run; tests write to folders of their own."""
    monkeypatch.chdir(trained.folder)
    return run
