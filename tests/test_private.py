"""What is made of pictures that only their owner may read is for their owner alone, through every command."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.pairs.pair_file import load_pair_file
from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel

PRIVATE = ["people/train_pairs.npz", "people/test_pairs.npz", "people/pairs.csv", "emb.npz", "map.png", "scored.csv"]
PRIVATE += [f"{folder}/{name}.png" for folder in ("run", "evaluated") for name in ("sample", "mistakes")]
PRIVATE += [f"projector/{name}" for name in ("sprite.png", "metadata.tsv", "tensors.tsv")]
FOR_ALL = ["run/siamese.keras", "run/record.json", "run/roc.png", "evaluated/report.json"]


@pytest.fixture(scope="module", params=["private", "open"])
def made(request, call, tmp_path_factory):
    """Whether the folder of pictures is private, and the folder with what the commands made of it."""
    folder = tmp_path_factory.mktemp("privacy")
    rng = np.random.default_rng(0)
    for person in range(7):
        (folder / "people" / f"p{person}").mkdir(parents=True)
        for number in range(4):
            image = rng.integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(image).save(folder / "people" / f"p{person}" / f"{number}.png")
    private = request.param == "private"
    (folder / "people").chmod(0o700 if private else 0o755)
    (folder / "list.csv").write_text("img1,img2\npeople/p0/0.png,people/p0/1.png\n")
    (folder / "list.csv").chmod(0o600 if private else 0o644)
    save_model(SiameseModel((8, 8, 1), tower="reference", embedding_dim=8), folder / "m.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        before = os.umask(0o022)
        for line in (
            "pairs generate --dataset people --out .",
            "train --pairs people/train_pairs.npz --tower hog --quiet --workdir run",
            "evaluate m.keras --pairs people/train_pairs.npz --out evaluated --json",
            "embed m.keras --dataset people --out emb.npz",
            "plot embeddings m.keras --pairs people/train_pairs.npz --thumbnails --out map.png --projector projector",
            "score m.keras --pairs list.csv --out scored.csv --quiet",
        ):
            assert call(line) == 0, line
        os.umask(before)
    return private, folder


pytestmark = pytest.mark.slow


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_pictures_of_a_private_folder_and_names_in_it_stay_private(made):
    private, folder = made
    assert {name: oct(mode(folder / name)) for name in PRIVATE} == dict.fromkeys(
        PRIVATE, "0o600" if private else "0o644"
    )
    assert load_pair_file(folder / "people" / "test_pairs.npz").private is private


def test_what_shows_nobody_does_not(made):
    assert {oct(mode(made[1] / name)) for name in FOR_ALL} == {"0o644"}


def test_a_pair_file_that_its_owner_closed_makes_the_pictures_private(made, call, monkeypatch):
    private, folder = made
    monkeypatch.chdir(folder)
    for name in ("train", "test"):
        (folder / "people" / f"{name}_pairs.npz").chmod(0o600)
    assert call("evaluate m.keras --pairs people/train_pairs.npz --out closed --json") == 0
    assert mode(folder / "closed" / "sample.png") == 0o600
