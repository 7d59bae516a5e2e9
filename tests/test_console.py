"""Output of commands: TensorFlow prints nothing unless its log is requested or its import fails."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from siamese_tf.console import Terminated, run_command
from siamese_tf.errors import DatasetError

START = "from siamese_tf.console import start_tensorflow; start_tensorflow(); import sys; print('up', file=sys.stderr)"
BROKEN = "import os; os.write(2, b'what the library said'); raise ImportError('no such symbol')"


def start(program: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    inherited = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env={**inherited, **environment}, cwd=folder, capture_output=True, text=True)


def test_the_import_is_silent_and_restores_standard_error(tmp_path: Path) -> None:
    done = start(START, tmp_path)
    assert (done.returncode, done.stderr) == (0, "up\n")


@pytest.mark.parametrize("log_level", [{}, {"TF_CPP_MIN_LOG_LEVEL": "0"}])
def test_a_failing_import_prints_its_messages(tmp_path: Path, log_level: dict[str, str]) -> None:
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
        (OSError("odd"), "error: odd. Check the path and its permissions, or name another path\n"),
    ],
)
def test_a_user_error_is_one_message_and_exit_code_2(error, message, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        run_command(raising(error))
    assert stopped.value.code == 2
    assert capsys.readouterr() == ("", message)


def test_an_internal_error_has_a_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(raising(ZeroDivisionError()))


@pytest.mark.slow
def test_the_backend_of_keras_3_is_set(tmp_path: Path) -> None:
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"backend": "jax"}')
    program = f"{START}; from tensorflow import keras; print(keras.backend.backend())"
    done = start(program, tmp_path, KERAS_HOME=str(tmp_path / ".keras"), KERAS_BACKEND="jax")
    assert (done.returncode, done.stdout) == (0, "tensorflow\n"), done.stderr


# Closed streams.

RECIPES = "from siamese_tf.cli import main; import sys; sys.argv[1:] = ['recipes']; main()"
SCORE = RECIPES.replace("'recipes'", "*'score model.keras --pairs p.csv --out out.csv'.split()")


def shell(program: str, redirect: str, folder: Path) -> subprocess.CompletedProcess:
    line = f'"{sys.executable}" -c "{program}" {redirect}'
    return subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("redirect", ["2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_closed_stream_becomes_the_null_device(tmp_path: Path, redirect: str) -> None:
    opened = "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:3])"
    check = f'from siamese_tf.console import run_command; run_command(lambda: exec(\\"{opened}\\"))'
    done = shell(check, redirect, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("[0, 1, 2]\n" if redirect == "2>&-" else "")


@pytest.mark.slow
@pytest.mark.parametrize("redirect", ["2>&-", ">&-"])
def test_a_command_with_tensorflow_runs_with_a_closed_stream(tmp_path: Path, redirect: str) -> None:
    model = Path(__file__).resolve().parent.parent / "model" / "mnist" / "v3" / "siamese.keras"
    (tmp_path / "model.keras").symlink_to(model)
    (tmp_path / "p.csv").write_text("img1,img2\na.png,b.png\n")
    for name in ("a.png", "b.png"):
        Image.new("L", (28, 28), 99).save(tmp_path / name)
    done = shell(SCORE, redirect, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    scored = (tmp_path / "out.csv").read_text()
    assert scored.startswith("img1,img2,probability,same")


@pytest.mark.parametrize("closed", [["stderr"], ["stdout"], ["stdin", "stdout", "stderr"]])
def test_streams_that_are_none(monkeypatch: pytest.MonkeyPatch, closed: list[str]) -> None:
    for name in closed:
        monkeypatch.setattr(sys, name, None)
    ran = []
    run_command(lambda: ran.append(print("to nobody")))
    with pytest.raises(SystemExit) as stopped:
        run_command(raising(DatasetError("no such data")))
    opened = [getattr(sys, name) for name in closed]
    monkeypatch.undo()
    for stream in opened:
        stream.close()
    assert ran
    assert stopped.value.code == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_output_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    done = shell(RECIPES, "> /dev/full", tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "error: No space left on device. Free some space, or write to another disk\n",
    )
    assert shell(RECIPES.replace("recipes", "pears"), "2> /dev/full", tmp_path).returncode == 2


# Locales.

NAMES = """
import os, sys
from siamese_tf.console import run_command
def command():
    print(sys.getfilesystemencoding(), sys.argv[1:], os.listdir("."))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        print(sys.argv[1], file=file)
run_command(command)
"""


def test_file_names_are_utf_8_in_any_locale(tmp_path: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    (tmp_path / "\u00e4").touch()
    command = [sys.executable, "-W", "error", "-c", NAMES, "M\u00fcller"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "utf-8 ['M\\xfcller'] ['\\xe4']\n"  # the terminal has no such letters
    assert (tmp_path / "M\u00fcller").read_text(encoding="utf-8") == "M\u00fcller\n"


# Signals.

WRITER = """
import signal, time
from siamese_tf.console import run_command
from siamese_tf.files import atomic_write
def command():
    with atomic_write("file") as file:
        file.write(b"half")
        print("half", flush=True)
        time.sleep(600)
run_command(command)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_command_without_partial_files(tmp_path: Path, number: int, code: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.send_signal(number)
    assert process.returncode == code
    assert not list(tmp_path.iterdir())


def test_a_second_signal_is_ignored_and_the_handlers_are_restored() -> None:
    cleaned = []

    def command() -> None:
        try:
            os.kill(os.getpid(), signal.SIGHUP)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned.append(True)

    with pytest.raises(Terminated) as ended:
        run_command(command)
    assert ended.value.code == 129
    assert cleaned
    assert signal.getsignal(signal.SIGTERM) == signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


def test_an_ignored_signal_stays_ignored() -> None:
    reached = []

    def command() -> None:
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGHUP)
        reached.append(True)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        run_command(command)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    assert reached
