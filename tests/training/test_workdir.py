from pathlib import Path

import pytest

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.training.checkpoint import CHECKPOINT
from siamese_tf.training.workdir import (
    ACCURACY,
    HISTORY,
    MODEL_FILE,
    RECORD,
    clear_workdir,
    default_workdir,
    expected_workdir,
)


def test_a_run_is_in_the_folder_of_its_data_set():
    assert default_workdir("mnist", "bce") == Path("runs/mnist/bce")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"dataset": "digits"}, "runs/digits/mse"),
        ({"dataset": "there/are/people/"}, "runs/people/mse"),
        ({"dataset": "auto"}, None),
        ({"dataset": "digits", "pairs": "mine.npz"}, None),
        ({"dataset": "digits", "one_vs_rest": "7"}, None),
    ],
)
def test_the_folder_is_known_before_the_data_are_loaded_if_the_data_set_names_it(settings, expected):
    found = expected_workdir(TrainConfig(**settings), "mse")
    assert found == (None if expected is None else Path(expected))


FILES = (CHECKPOINT, RECORD, HISTORY, ACCURACY, MODEL_FILE, "config.json", "logs/events", "mine.txt")


@pytest.mark.parametrize(
    ("present", "left", "line"),
    [
        (FILES, {MODEL_FILE, "config.json", "mine.txt"}, "Replacing the run in {} (--resume would have continued it)."),
        (FILES[1:], {MODEL_FILE, "config.json", "logs/events", "mine.txt"}, "Replacing the run in {}."),
        (FILES[2:], set(FILES[2:]), None),
    ],
    ids=["checkpoint", "finished", "no run"],
)
def test_a_new_run_removes_what_it_may_not_overwrite(tmp_path, present, left, line):
    (tmp_path / "logs").mkdir()
    for name in present:
        (tmp_path / name).touch()
    lines = []
    clear_workdir(tmp_path, lines.append)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == left
    assert lines == ([line.format(tmp_path)] if line else [])
