"""One short training for the tests of all commands, and a keyboard in its folder."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.sources.load import load_source
from siamese_tf.models.model_file import load_model

TINY = "--objective bce --tower reference --embedding-dim 8 --batch-pairs 64 --epochs 2 --image-size 8 --resize crop"
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


@pytest.fixture(scope="session")
def drawn_people(tmp_path_factory):
    """A folder with `people/`: seven of them, four pictures of each, 12 high and 10 wide, named as LFW names them."""
    folder = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    for person in (f"p{number}" for number in range(7)):
        pattern = rng.integers(0, 200, (12, 10))
        (folder / "people" / person).mkdir(parents=True)
        for k in range(1, 5):
            picture = (pattern + rng.integers(0, 40, (12, 10))).astype(np.uint8)
            Image.fromarray(picture).save(folder / "people" / person / f"{person}_{k:04d}.png")
    return folder


@pytest.fixture(scope="session")
def of_people(call, drawn_people):
    """A run of two epochs on the drawn people, whose pictures are cropped to a square, in their folder."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(drawn_people)
        patch.setattr(sys, "stdout", printed)
        code = call(f"train --dataset people {TINY} --workdir run")
    return SimpleNamespace(
        folder=drawn_people,
        settings=TINY,
        code=code,
        printed=printed.getvalue(),
        model=load_model(drawn_people / "run" / "siamese.keras"),
    )


@pytest.fixture
def run(run, trained, monkeypatch):
    """As `run` elsewhere, in the folder of the trained run; tests write to folders of their own."""
    monkeypatch.chdir(trained.folder)
    return run


@pytest.fixture
def without_embedding(trained, monkeypatch):
    """Makes every model give the zero embedding for one image file of the trained run."""
    from siamese_tf.models.siamese_model import SiameseModel

    embed = SiameseModel.embed

    def make(name):
        image = np.asarray(Image.open(trained.folder / name))
        monkeypatch.setattr(
            SiameseModel,
            "embed",
            lambda self, images: (
                embed(self, images) * np.float32([[not np.array_equal(one[..., 0], image)] for one in images])
            ),
        )

    return make
