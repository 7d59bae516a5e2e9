"""Names from files, folders and arguments reach the terminal without control characters, whatever the command."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, save_pair_file
from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.printable import UNSAFE_BUT_LAYOUT

RED, CSI, UP = "\x1b[31mred", "\x9b2J", "\x1b]0;title\x07\x08"
EVIL = f"{RED}{CSI}{UP}\u202egnp"
SHOWN = "\\x1b[31mred"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, and lists, pair files and images with hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    model = SiameseModel((8, 8, 1), tower="reference", embedding_dim=8)
    save_model(model, folder / "model.keras")
    rng = np.random.default_rng(0)
    for person in ("ann", "bob", EVIL):
        (folder / "people" / person).mkdir(parents=True)
        for number in range(20):
            name = f"{number}.png" if number else f"{EVIL}.png"
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / "people" / person / name)
    Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / "a.png")
    (folder / "missing.csv").write_text(f"img1,img2,similarity\n{EVIL}.png,a.png,1\n")
    (folder / "columns.csv").write_text(f"img1,{EVIL}\n")
    (folder / "split.csv").write_text(f"img1,img2,similarity,split\na.png,a.png,1,{EVIL}\n")
    (folder / "pairs.txt").write_text(f"1\n{EVIL} 1 2\n{EVIL} 1 bob 2\n")
    (folder / "first.txt").write_text(f"{EVIL}\n")
    (folder / f"{EVIL}.npz").write_text("no zip")
    save_pair_file(folder / "pairs.npz", hostile_pairs(rng))
    return folder


def hostile_pairs(rng: np.random.Generator) -> PairDataset:
    labels = np.repeat([0, 1], 12)
    img1, img2 = (side.ravel().astype(np.int32) for side in np.triu_indices(24, 1))
    return PairDataset(
        images=rng.integers(0, 256, (24, 8, 8, 1), np.uint8),
        labels=labels,
        img1=img1,
        img2=img2,
        similarity=(labels[img1] == labels[img2]).astype(np.uint8),
        split=np.resize(np.array([TRAIN, VALIDATION, TEST], np.uint8), len(img1)),
        manifest={"source": EVIL, "seed": EVIL, "split": EVIL, "class_names": [EVIL, "other"]},
    )


COMMANDS = {
    "pairs check missing.csv": 2,
    "pairs check columns.csv": 2,
    "pairs check split.csv": 2,
    "pairs check pairs.txt": 2,
    "pairs check first.txt": 2,
    f"pairs check {EVIL}.npz": 2,
    f"pairs check {EVIL}.csv": 2,
    f"pairs generate --dataset {EVIL}": 2,
    f"pairs generate --dataset people/{EVIL}": 2,
    "pairs generate --dataset people --split image": 0,
    "train --pairs missing.csv": 2,
    "train --pairs pairs.npz --objective triplet --one-vs-rest nobody": 2,
    "evaluate model.keras --pairs missing.csv": 2,
    "evaluate model.keras --pairs pairs.txt": 2,
    "evaluate model.keras --pairs pairs.npz": 0,
    f"evaluate model.keras --pairs pairs.npz --one-vs-rest {EVIL}": 0,
    f"evaluate model.keras --pairs pairs.npz --one-vs-rest {EVIL} --out report": 0,
    "plot embeddings model.keras --pairs pairs.npz": 0,
    f"evaluate model.keras --image1 a.png --image2 {EVIL}.png": 2,
    "score model.keras --pairs missing.csv --out scored.csv": 0,
    "score model.keras --pairs columns.csv": 2,
    f"score model.keras a.png {EVIL}.png": 2,
    f"score {EVIL}.keras a.png a.png": 2,
    f"embed {EVIL}.keras --dataset digits --out e.npz": 2,
    f"embed model.keras --dataset people/{EVIL} --out e.npz": 2,
}


def params() -> list:
    """The commands; those that draw are slow."""
    marks = {line: pytest.mark.slow for line in COMMANDS if "--out report" in line or line.startswith("plot")}
    return [
        pytest.param(*command, marks=marks.get(command[0], ()), id=f"{number}")
        for number, command in enumerate(COMMANDS.items())
    ]


@pytest.mark.parametrize(("line", "code"), params())
def test_no_control_character_is_printed(run, folder, monkeypatch, line, code):
    monkeypatch.chdir(folder)
    done = run(line)
    assert done.code == code, done.err
    assert not re.search(r"Traceback", done.err)
    for text in (done.out, done.err):
        assert not UNSAFE_BUT_LAYOUT.findall(text.replace("\r", "")), text
    if EVIL not in line:
        assert SHOWN in done.out + done.err or "nobody" in line


@pytest.mark.slow
def test_training_prints_none(folder, monkeypatch, capfd):
    from siamese_tf.config.train_config import TrainConfig
    from siamese_tf.training.train import train_and_evaluate

    monkeypatch.chdir(folder)
    settings = {"objective": "bce", "tower": "reference", "embedding_dim": 8, "epochs": 1, "batch_pairs": 64}
    train_and_evaluate(TrainConfig(pairs="pairs.npz", **settings), Path("run"))
    out, err = capfd.readouterr()
    assert SHOWN in out
    assert not UNSAFE_BUT_LAYOUT.findall(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", out + err))
