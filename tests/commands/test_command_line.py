import pytest

from siamese_tf.commands.command_line import command_line


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["/usr/bin/siamese-tf", "train", "--seed", "3"], "siamese-tf train --seed 3"),
        (["/home/anna/main3.py", "--dataset", "my faces"], "python main3.py --dataset 'my faces'"),
        (["/lib/siamese_tf/__main__.py", "compare"], "siamese-tf compare"),
        (["siamese-tf", "train", "--resume", "--quiet"], "siamese-tf train --quiet"),
    ],
)
def test_it_is_the_command_that_does_the_same_again(monkeypatch, typed, expected):
    monkeypatch.setattr("sys.argv", typed)
    assert command_line() == expected
