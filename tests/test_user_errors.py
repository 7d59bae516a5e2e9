"""What a user can do wrong, command by command: exit code 2, one clear message on stderr, nothing on stdout.

Each line is a command and the words its message must have: what was expected, what was received, the hint.
"""

import errno
import os
import re
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siamese_tf import cli
from siamese_tf.commands import score
from siamese_tf.data.pairs.pair_file import PairDataset, save_pair_file
from siamese_tf.data.sources import published as known
from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.checkpoint import RunState, save_checkpoint

TINY = "train --dataset digits --tower reference --embedding-dim 8 --epochs 1 --quiet"
TRIPLETS = f"{TINY} --objective triplet"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Everything the lines below name, good and bad."""
    folder = tmp_path_factory.mktemp("errors")
    rng = np.random.default_rng(0)
    model = SiameseModel((8, 8, 1), tower="reference", embedding_dim=8)
    save_model(model, folder / "model.keras")
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / name)
    for name in ("text.keras", "text.png", "text.npz", "file"):
        (folder / name).write_text("only text")
    for name, text in CSV_FILES.items():
        (folder / name).write_bytes(text)
    images = rng.integers(0, 256, (40, 8, 8, 1), np.uint8)
    img1 = np.arange(20, dtype=np.int32)
    row = {"img1": img1, "img2": img1 + 20, "similarity": (img1 % 2).astype(np.uint8)}
    split = np.repeat(np.array([0, 1], np.uint8), 10)
    save_pair_file(folder / "no_labels.npz", PairDataset(images, None, **row, split=split))
    save_pair_file(folder / "small.npz", PairDataset(images[:, :4, :4], None, **row, split=split))
    labels = np.concatenate([np.ones(20, np.int64), row["similarity"]])
    save_pair_file(folder / "small_labels.npz", PairDataset(images[:, :4, :4], labels, **row, split=split))
    save_pair_file(folder / "train_only.npz", PairDataset(images, None, **row, split=0 * split))
    np.savez(folder / "no_similarity.npz", images=images, img1=img1, img2=img1 + 20)
    np.savez(folder / "beyond.npz", images=images, **{**row, "img2": img1 + 21})
    whole = (folder / "no_labels.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (folder / "run").mkdir()
    save_checkpoint(RunState({"epochs": 7, "seed": 3}), folder / "run")
    return folder


CSV_FILES = {
    "empty.csv": b"",
    "no_pairs.csv": b"img1,img2\n",
    "no_columns.csv": b"left,right\na.png,b.png\n",
    "twice.csv": b"img1,img2,similarity,img1\na.png,b.png,1,b.png\n",
    "semicolons.csv": b"img1;img2;similarity\na.png;b.png;1\n",
    "bad_similarity.csv": b"img1,img2,similarity\na.png,b.png,maybe\n",
    "latin.csv": "img1,img2\nä.png,b.png\n".encode("latin-1"),
    "good.csv": b"img1,img2\na.png,b.png\n",
}


@pytest.fixture
def refused(folder, monkeypatch, capfd):
    """Types a command in the folder, and returns its message once it has been found to end as it should."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "300")

    def call(line: str) -> str:
        monkeypatch.setattr(sys, "argv", ["siamese-tf", *line.split()])
        before = capfd.readouterr()
        assert (before.out, before.err) == ("", "")
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capfd.readouterr()
        message = ANSI.sub("", err)
        assert caught.value.code == 2, message
        assert out == ""
        assert "Traceback" not in message
        return message

    return call


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, no data set on this machine."""

    def unreachable(*args, **kwargs):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(known, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("SIAMESE_TF_DATA", raising=False)


# Errors of siamese_tf itself: one line that starts with "error: ".
REFUSED = [
    # the model and the images of score
    ("score none.keras a.png b.png", ["none.keras", "No such file", "Check the path"]),
    ("score text.keras a.png b.png", ["text.keras", "not a zip archive", "train the model again"]),
    ("score run a.png b.png", ["cannot read the model run", "Is a directory", "Check the path"]),
    ("score model.keras none.png b.png", ["none.png", "must be an image file", "does not exist", "Check the path"]),
    ("score model.keras a.png text.png", ["text.png", "an unknown format", "PNG, JPEG", "Convert it"]),
    ("score model.keras a.png run", ["run", "got a folder", "Check the path"]),
    ("score model.keras", ["two image files", "--pairs FILE.csv", "got 0 image(s) and no --pairs"]),
    ("score model.keras a.png", ["two image files", "got 1 image(s)"]),
    ("score model.keras a.png b.png a.png", ["two image files", "got 3 image(s)"]),
    ("score model.keras a.png b.png --pairs good.csv", ["and no image", "got 2 image(s) and --pairs good.csv"]),
    ("score model.keras a.png b.png --out x.csv", ["--out must be omitted without --pairs", "Omit it"]),
    ("score model.keras --pairs good.csv --json", ["--json must be omitted with --pairs", "Omit it"]),
    # the CSV of score
    ("score model.keras --pairs none.csv", ["none.csv", "No such file", "Check the path"]),
    ("score model.keras --pairs empty.csv", ["empty.csv", "img1,img2", "got ''", "Correct it"]),
    ("score model.keras --pairs no_pairs.csv", ["no_pairs.csv", "at least one pair", "Add lines"]),
    (
        "score model.keras --pairs twice.csv",
        ["twice.csv", "each once", "'img1,img2,similarity,img1'", "Name img1 once"],
    ),
    ("pairs check twice.csv", ["twice.csv", "each once", "'img1,img2,similarity,img1'", "Name img1 once"]),
    ("score model.keras --pairs semicolons.csv", ["semicolons.csv", "not semicolons"]),
    ("score model.keras --pairs no_columns.csv", ["no_columns.csv", "img1,img2", "'left,right'", "Correct it"]),
    ("score model.keras --pairs bad_similarity.csv", ["line 2", "1 (same), 0 (different)", "'maybe'", "Correct it"]),
    ("score model.keras --pairs latin.csv", ["latin.csv", "must be UTF-8 text", "Save it as UTF-8"]),
    (
        "score model.keras --pairs good.csv --quiet --out file/x.csv",
        ["file", "this path is a file", "Name another folder"],
    ),
    ("score model.keras --pairs good.csv --quiet --out run", ["run: Is a directory", "Check the path"]),
    # the pairs of evaluate
    ("evaluate model.keras", ["--pairs FILE or --dataset NAME", "got neither"]),
    ("evaluate model.keras --pairs no_labels.npz --dataset digits", ["--pairs FILE or --dataset NAME", "got both"]),
    ("evaluate none.keras --dataset digits", ["none.keras", "No such file", "Check the path"]),
    ("evaluate model.keras --pairs none.npz", ["none.npz", "No such file", "Generate it with"]),
    ("evaluate model.keras --pairs cut.npz", ["cut.npz", "cannot be read as a pair file", "generate or copy it again"]),
    ("evaluate model.keras --pairs small.npz", ["(8, 8, 1)", "small.npz", "(4, 4, 1)", "Generate pairs from"]),
    ("evaluate model.keras --dataset digts", ["'digts'", "fashion-mnist", "Did you mean digits?"]),
    (
        "evaluate model.keras --dataset mnist --data-dir run",
        ["run/mnist must be a folder with", "got none of these files", "Set data_dir"],
    ),
    # pairs check and pairs generate
    ("pairs check none.npz", ["none.npz", "No such file", "Generate it with"]),
    ("pairs check cut.npz", ["cut.npz", "cannot be read as a pair file", "generate or copy it again"]),
    ("pairs check text.npz", ["text.npz", "cannot be read as a pair file"]),
    ("pairs check no_similarity.npz", ["no_similarity.npz", "got no 'similarity'", "images, img1, img2, similarity"]),
    ("pairs check no_labels.npz beyond.npz", ["beyond.npz", "img2 must be in 0 to 39", "got 21 to 40"]),
    ("pairs generate --dataset fashion --out new", ["'fashion'", "must be one of", "Did you mean fashion-mnist?"]),
    ("pairs generate --dataset ./none --out new", ["'./none'", "does not exist", "Check the path"]),
    (
        "pairs generate --dataset run --out new",
        ["run: must have the four IDX files train-images-idx3-ubyte", "or name another folder"],
    ),
    ("pairs generate --dataset mnist --data-dir run --out new", ["run/mnist must be a folder with", "Set data_dir"]),
    ("pairs generate --dataset file --out new", ["got the file 'file'", "Name its folder"]),
    ("pairs generate --dataset digits --out new --train-pairs 999999999", ["train split", "must be from 2 to 115369"]),
    (
        "pairs generate --dataset digits --out new --validation-pairs 0",
        ["validation split: ", "from 2 to", "got 0 for"],
    ),
    ("pairs generate --dataset digits --out new --test-pairs -1", ["test split: ", "from 2 to", "got -1 for"]),
    ("pairs generate --dataset digits --out new --split person", ["'person'", "'image' or 'class'"]),
    ("pairs generate --dataset digits --out new --seed -1", ["seed must be 0 or more; got -1"]),
    ("pairs generate --dataset digits --out file", ["file: File exists", "this path is a file", "Name another"]),
    # the settings of train
    (f"{TINY} --objective foo", ["objective", "bce, mse, contrastive, triplet", "'foo'"]),
    (f"{TINY} --tower foo", ["tower", "small_cnn, small_cnn_v2, resnet, reference, tnn", "'foo'"]),
    (f"{TINY} --tower tnn --workdir built", ["tower tnn", "at least 18x18", "got 8x8"]),
    (f"{TINY} --tower custom", ["'custom'", "in Python"]),
    (f"{TINY} --head foo", ["head", "cosine, euclidean, concat, weighted_l1", "'foo'"]),
    (f"{TINY} --augment foo", ["augment", "auto, light, strong, none, or some of flip, vflip, color, affine", "'foo'"]),
    (f"{TINY} --pairs-per-step foo", ["pairs_per_step", "all, listed", "'foo'"]),
    (f"{TINY} --epochs 0", ["epochs", "from 1 to", "got 0"]),
    (f"{TINY} --epochs -1", ["epochs", "from 1 to", "got -1"]),
    (f"{TINY} --batch-pairs 0", ["batch_pairs", "from 1 to", "got 0"]),
    (f"{TINY} --embedding-dim 0", ["embedding_dim", "from 1 to", "got 0"]),
    (f"{TINY} --margin 0", ["margin", "above 0", "got 0.0"]),
    (f"{TINY} --margin -1", ["margin", "above 0", "got -1.0"]),
    (f"{TINY} --margin nan", ["margin", "above 0", "got nan"]),
    (f"{TINY} --margin wide", ["margin", "above 0, or soft", "got 'wide'"]),
    (f"{TINY} --schedule foo", ["schedule", "cosine, step, exponential, plateau, constant", "'foo'"]),
    (f"{TINY} --weight-decay -1", ["weight_decay", "a number of at least 0", "got -1.0"]),
    (f"{TINY} --average 1", ["average", "a number of at least 0 and below 1", "got 1.0"]),
    (f"{TINY} --precision float16", ["precision", "float32, bfloat16", "'float16'"]),
    (f"{TINY} --images-shown 0", ["images_shown", "from 1 to", "got 0"]),
    (f"{TINY} --recipe foo", ["'foo'", "one of quick (", "best (", "reference (", "tnn ("]),
    (f"{TINY} --learning-rate 0", ["learning_rate", "above 0", "got 0.0"]),
    (f"{TINY} --learning-rate inf", ["learning_rate", "above 0", "got inf"]),
    (f"{TINY} --seed -1", ["seed", "from 0 to", "got -1"]),
    # triplets
    (f"{TRIPLETS} --margin hard", ["margin", "above 0, or soft", "got 'hard'"]),
    (f"{TRIPLETS} --mining foo", ["mining", "semi-hard, hard, all", "'foo'"]),
    (f"{TRIPLETS} --losses foo", ["losses", "addons, native", "'foo'"]),
    (f"{TRIPLETS} --losses addons --mining all", ["'addons'", "no batch-all loss", "Use 'native'"]),
    (f"{TRIPLETS} --losses addons --margin soft", ["'addons'", "no semi-hard loss with a soft margin", "Use 'native'"]),
    (f"{TRIPLETS} --head concat", ["'triplet'", "head euclidean or cosine", "got head 'concat'"]),
    (f"{TRIPLETS} --pairs-per-step listed", ["pairs_per_step 'listed'", "not for the objective triplet", "Leave"]),
    (f"{TRIPLETS} --classes-per-batch 11", ["classes_per_batch must be at most 10", "got 11", "Lower it"]),
    (f"{TRIPLETS} --classes-per-batch 1", ["classes_per_batch", "from 2 to", "got 1"]),
    (f"{TRIPLETS} --images-per-class 1", ["images_per_class", "from 2 to", "got 1"]),
    (
        f"{TRIPLETS} --pairs no_labels.npz",
        ["no_labels.npz must have labels", "triplet; it has none", "another objective"],
    ),
    (f"{TINY} --margin soft", ["margin 'soft'", "triplet only", "got objective 'contrastive'", "Leave it"]),
    (f"{TINY} --mining hard", ["mining 'hard'", "triplet only", "got objective 'contrastive'", "Leave it"]),
    (f"{TINY} --losses addons --objective bce", ["losses 'addons'", "triplet only", "got objective 'bce'", "Leave it"]),
    (
        f"{TINY} --images-per-class 4",
        ["images_per_class 4", "triplet or episode only", "got objective 'contrastive'", "Leave it"],
    ),
    # one class against the rest
    (f"{TINY} --one-vs-rest 10", ["got '10'", "one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9", "or its number"]),
    (f"{TINY} --rest-is-a-class", ["rest_is_a_class", "one_vs_rest", "name that class as well"]),
    (
        f"{TINY} --pairs no_labels.npz --one-vs-rest 1",
        ["no_labels.npz must have labels", "got none", "Use a pair file"],
    ),
    (f"{TRIPLETS} --one-vs-rest 7 --classes-per-batch 3", ["classes_per_batch must be at most 2", "got 3", "Lower it"]),
    ("evaluate model.keras --dataset digits --one-vs-rest seven", ["got 'seven'", "one of 0, 1, 2", "its number"]),
    ("evaluate model.keras --dataset digits --rest-is-a-class", ["--rest-is-a-class", "--one-vs-rest CLASS", "name"]),
    (
        "evaluate model.keras --pairs no_labels.npz --one-vs-rest 1",
        ["no_labels.npz must have labels", "got none", "Use a pair file"],
    ),
    ("evaluate model.keras --pairs small_labels.npz --one-vs-rest 1", ["(8, 8, 1)", "small_labels.npz", "(4, 4, 1)"]),
    # the pairs and the folder of train
    (f"{TINY} --dataset Mnist", ["'Mnist'", "must be one of", "Did you mean mnist?"]),
    (f"{TINY} --pairs none.npz", ["none.npz", "No such file", "Generate it with"]),
    (f"{TINY} --pairs cut.npz", ["cut.npz", "cannot be read as a pair file", "generate or copy it again"]),
    (f"{TINY} --pairs no_labels.npz", ["no_labels.npz must have labels", "--pairs-per-step listed"]),
    (
        f"{TINY.replace('--epochs 1', '--images-shown 100')} --pairs train_only.npz",
        ["train_only.npz", "must have validation pairs (split 1)", "or, to train without validation, set epochs"],
    ),
    (f"{TINY} --pairs no_labels.npz --test-pairs none.npz", ["none.npz", "No such file"]),
    (f"{TINY} --pairs no_labels.npz --test-pairs small.npz", ["small.npz must have test pairs"]),
    (f"{TINY} --pairs small.npz --pairs-per-step listed --workdir built", ["reference", "at least 6x6", "got 4x4"]),
    (
        f"{TINY} --pairs no_labels.npz --pairs-per-step listed --workdir file",
        ["file", "this path is a file", "Name another"],
    ),
    (
        f"{TINY} --pairs no_labels.npz --pairs-per-step listed --workdir run --resume",
        [
            "belongs to another run",
            "epochs was 7 and is now 1",
            "seed was 3 and is now 0",
            "Resume with the original settings",
        ],
    ),
]

# What the command line parser refuses: its usage, and a message.
NOT_PARSED = [
    (f"{TINY} --epochs ten", ["--epochs", "valid integer"]),
    (f"{TINY} --epochs 1.5", ["--epochs", "valid integer"]),
    (f"{TINY} --epoch 3", ["No such option: --epoch", "--epochs"]),
    (f"{TINY} --epochs", ["--epochs", "requires an argument"]),
    (f"{TINY} mnist", ["unexpected extra argument", "mnist"]),
    ("evaluate model.keras --dataset digits --one-vs-rest 7 --seed -1", ["--seed", "greater than or equal to 0"]),
    ("pairs generate --train-pairs many", ["--train-pairs", "valid integer"]),
    ("pairs check", ["Missing argument"]),
    ("score", ["Missing argument"]),
    ("pears check no_labels.npz", ["No such command 'pears'"]),
]


@pytest.mark.parametrize(("line", "words"), REFUSED)
def test_a_mistake_ends_in_one_line_that_teaches(refused, line, words):
    message = refused(line)
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    for word in words:
        assert word in message
    assert not Path("new").exists()
    assert not Path("runs").exists()


def test_losses_that_are_not_installed_are_refused(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_addons", None)
    message = refused(f"{TRIPLETS} --losses addons")
    assert message == (
        "error: losses must be 'native' here; got 'addons': TensorFlow Addons is not installed."
        " Use 'native', which gives the same values\n"
    )
    assert not Path("runs").exists()


@pytest.mark.parametrize(("line", "words"), NOT_PARSED)
def test_a_line_that_cannot_be_parsed_is_answered_with_the_usage(refused, line, words):
    message = refused(line)
    for word in words:
        assert word in message


@pytest.mark.parametrize("command", ["train", "evaluate model.keras", "pairs generate"])
def test_a_data_set_by_name_without_network_says_what_was_tried_and_what_to_do(refused, offline, command):
    message = refused(f"{command} --dataset fashion-mnist")
    assert message.count("\n") == 1
    for word in (
        "fashion-mnist was not found",
        " in ",
        "Temporary failure in name resolution",
        "Set SIAMESE_TF_DATA to a folder that contains fashion-mnist/",
        "--dataset digits",
    ):
        assert word in message


# --- the disk -------------------------------------------------------------------------------------------------------

WRITERS = [
    "pairs generate --dataset digits --train-pairs 20 --validation-pairs 20 --test-pairs 20 --out OUT",
    "score model.keras --pairs good.csv --quiet --out OUT/scored.csv",
    "evaluate model.keras --pairs train_only.npz --out OUT",
    f"{TINY} --pairs no_labels.npz --pairs-per-step listed --workdir OUT",
]


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("line", WRITERS)
def test_a_full_disk_leaves_the_old_files_and_no_part_of_a_new_one(refused, monkeypatch, tmp_path, line):
    (tmp_path / "digits").mkdir()
    for name in ("digits/train_pairs.npz", "scored.csv", "report.json", "config.json"):
        (tmp_path / name).write_text("old")
    before = files_below(tmp_path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    message = refused(line.replace("OUT", str(tmp_path)))
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert "No space left on device. Free some space, or write to another disk" in message
    assert files_below(tmp_path) == before


def test_a_disk_that_fills_up_during_the_training(refused, monkeypatch, tmp_path):
    replace = os.replace

    def full(source, target):
        if Path(target).name == "checkpoint.npz":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    message = refused(WRITERS[-1].replace("OUT", str(tmp_path)))
    assert message == (
        f"error: {tmp_path / 'checkpoint.npz'}: No space left on device. Free some space, or write to another disk\n"
    )
    assert not list(tmp_path.glob(".*"))


def test_what_tensorflow_cannot_write_is_an_error_like_any_other(refused, monkeypatch, tmp_path):
    (tmp_path / "logs").write_text("a file where TensorBoard's folder should be")
    message = refused(WRITERS[-1].replace("OUT", str(tmp_path)))
    assert message.startswith(f"error: {tmp_path / 'logs'}")
    assert message.endswith(": Not a directory. Name another folder, since a parent of this path is a file\n")
    assert message.count("\n") == 1
    (tmp_path / "logs").unlink()
    monkeypatch.setattr("siamese_tf.training.event_log.time.time", lambda: 0)
    (tmp_path / "logs" / "train" / f"events.out.tfevents.{0:010d}.{os.getpid()}").mkdir(parents=True)
    message = refused(WRITERS[-1].replace("OUT", str(tmp_path)))
    assert message.startswith(f"error: TensorFlow stopped: {tmp_path / 'logs'}")
    assert message.count("\n") == 1
    assert "The same command with --resume continues after the last finished epoch." in message


@pytest.mark.parametrize("line", WRITERS)
def test_a_folder_that_may_not_be_written_to(refused, tmp_path, line):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    if os.access(locked, os.W_OK):
        pytest.skip("this user may write anywhere")
    message = refused(line.replace("OUT", str(locked)))
    assert message.startswith(f"error: {locked}")
    assert message.count("\n") == 1
    assert "Permission denied. Check the path and its permissions, or name another path" in message


# --- what is not the user's mistake ---------------------------------------------------------------------------------


def test_a_fault_of_ours_keeps_its_traceback(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(score, "json", None)  # so that printing the scores fails
    monkeypatch.setattr(sys, "argv", ["siamese-tf", *"score model.keras a.png b.png --json".split()])
    with pytest.raises(AttributeError):
        cli.main()
