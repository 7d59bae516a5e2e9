"""A command says what it has to say, and TensorFlow nothing, unless it is asked to or cannot start."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from siamese_tf.console import run_command
from siamese_tf.errors import DatasetError

START = "from siamese_tf.console import start_tensorflow; start_tensorflow(); import sys; print('up', file=sys.stderr)"
BROKEN = "import os; os.write(2, b'what the library said'); raise ImportError('no such symbol')"


def start(program: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    inherited = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env={**inherited, **environment}, cwd=folder, capture_output=True, text=True)


def test_the_start_is_silent_and_gives_standard_error_back(tmp_path: Path) -> None:
    done = start(START, tmp_path)
    assert (done.returncode, done.stderr) == (0, "up\n")


@pytest.mark.parametrize("log_level", [{}, {"TF_CPP_MIN_LOG_LEVEL": "0"}])
def test_a_failing_start_speaks(tmp_path: Path, log_level: dict[str, str]) -> None:
    (tmp_path / "tensorflow.py").write_text(BROKEN)
    done = start(f"{START}; import tensorflow", tmp_path, **log_level)
    assert done.returncode == 1
    assert "what the library said" in done.stderr
    assert "ImportError: no such symbol" in done.stderr


def raising(error: Exception) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DatasetError("no such data; look elsewhere"), "error: no such data; look elsewhere\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "here.npz"),
            "error: here.npz: No space left on device. Free some space, or write to another disk\n",
        ),
        (OSError("odd"), "error: odd. Check the path and its rights, or name another\n"),
    ],
)
def test_what_a_user_can_cure_is_one_message_and_exit_code_2(error, message, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        run_command(raising(error))
    assert stopped.value.code == 2
    assert capsys.readouterr() == ("", message)


def test_a_fault_of_our_own_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(raising(ZeroDivisionError()))


def test_keras_3_is_told_its_backend(tmp_path: Path) -> None:
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"backend": "jax"}')
    program = f"{START}; from tensorflow import keras; print(keras.backend.backend())"
    done = start(program, tmp_path, KERAS_HOME=str(tmp_path / ".keras"), KERAS_BACKEND="jax")
    assert (done.returncode, done.stdout) == (0, "tensorflow\n"), done.stderr
