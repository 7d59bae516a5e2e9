"""Messages and exit codes of an interrupted training."""

import errno

import pytest
import tensorflow as tf
import typer

from siamese_tf.commands.interruption import interruption_handler
from siamese_tf.console import Terminated
from siamese_tf.errors import SiameseError


def test_a_completed_command_prints_nothing(capsys):
    with interruption_handler("Go on."):
        pass
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_prints_the_hint(capsys):
    with pytest.raises(typer.Exit) as end, interruption_handler("Go on."):
        raise KeyboardInterrupt
    assert end.value.exit_code == 130
    assert capsys.readouterr() == ("", "\nStopped. Go on.\n")


@pytest.mark.parametrize("terminal", ["there", "gone"])
def test_a_signal_prints_the_hint_and_exits_with_its_own_code(capsys, monkeypatch, terminal):
    def gone(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    if terminal == "gone":
        monkeypatch.setattr("builtins.print", gone)
    with pytest.raises(Terminated) as end, interruption_handler("Go on."):
        raise Terminated(143)
    assert end.value.code == 143
    assert capsys.readouterr() == ("", "\nStopped. Go on.\n" if terminal == "there" else "")


def test_an_error_of_tensorflow_is_one_line():
    message = "{{function_node a}} {{node b}} No space left on device [Op:WriteSummary]\nmore"
    with pytest.raises(SiameseError) as caught, interruption_handler("Go on."):
        raise tf.errors.ResourceExhaustedError(None, None, message)
    assert str(caught.value) == "TensorFlow stopped: No space left on device. Check disk and memory. Go on."


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), interruption_handler("Go on."):
        raise ZeroDivisionError
