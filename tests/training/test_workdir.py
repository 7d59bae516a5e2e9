from pathlib import Path

import pytest

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.training.workdir import default_workdir, expected_workdir


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
def test_the_folder_is_known_before_the_data_are_opened_where_the_data_set_names_it(settings, expected):
    found = expected_workdir(TrainConfig(**settings), "mse")
    assert found == (None if expected is None else Path(expected))
