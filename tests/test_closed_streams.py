"""Every command runs with closed standard streams and has the same exit code."""

import sys

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.pairs.pair_file import PairDataset, save_pair_file
from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel

LINES = {
    "--version": 0,
    "--help": 0,
    "recipes": 0,
    "pairs generate --dataset digits --train-pairs 20 --validation-pairs 20 --test-pairs 20 --out made": 0,
    "pairs check p.npz": 1,
    "score m.keras a.png b.png": 0,
    "score m.keras --pairs list.csv": 0,
    "evaluate m.keras --pairs p.npz": 0,
    "evaluate m.keras --image1 a.png --image2 b.png": 0,
    "embed m.keras --dataset digits --out e.npz": 0,
    "plot embeddings m.keras --pairs p.npz --images 9 --out map.png": 0,
    "enroll g.db --model m.keras --name Ann a.png": 0,
    "gallery list g.db": 0,
    "verify g.db --model m.keras --name Ann a.png": 0,
    "identify g.db --model m.keras a.png": 0,
    "gallery remove g.db Ann": 0,
    "import-facenet none.pt f.keras": 2,
    "train --pairs p.npz --tower reference --embedding-dim 8 --epochs 1 --workdir run": 0,
    "compare --pairs none.npz": 2,
    "pears": 2,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Writes a model, two images, a list of them, and pairs with duplicates across splits."""
    folder = tmp_path_factory.mktemp("streams")
    rng = np.random.default_rng(0)
    save_model(SiameseModel((8, 8, 1), tower="reference", embedding_dim=8), folder / "m.keras")
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / name)
    (folder / "list.csv").write_text("img1,img2\na.png,b.png\n")
    images, labels = rng.integers(0, 256, (60, 8, 8, 1), np.uint8), np.arange(60) % 3
    img1, img2 = (rng.integers(0, 60, 90).astype(np.int32) for _ in range(2))
    similarity = (labels[img1] == labels[img2]).astype(np.uint8)
    split = np.repeat(np.array([0, 1, 2], np.uint8), 30)
    save_pair_file(folder / "p.npz", PairDataset(images, labels, img1, img2, similarity, split))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("closed", [["stderr"], ["stdin", "stdout", "stderr"]], ids="-".join)
def test_no_command_needs_a_stream(folder, call, monkeypatch, closed):
    monkeypatch.chdir(folder)
    codes = {}
    for line in LINES:
        with monkeypatch.context() as patch:
            for name in closed:
                patch.setattr(sys, name, None)
            codes[line] = call(line)
            for name in closed:
                getattr(sys, name).close()
    assert codes == LINES
