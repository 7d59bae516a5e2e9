"""Runtime of the commands: standard streams, signals, error messages, and a quiet import of TensorFlow."""

import errno
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from io import TextIOWrapper
from typing import Any, TextIO

from siamese_tf.errors import SiameseError
from siamese_tf.home import home_folder, temporary_home
from siamese_tf.printable import printable

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
HINTS = {
    errno.EEXIST: "Name another folder, since this path is a file",
    errno.ENOTDIR: "Name another folder, since a parent of this path is a file",
    errno.EPIPE: "Let the program that reads the output run to its end",
    errno.ENOSPC: "Free some space, or write to another disk",
}
HINT = "Check the path and its permissions, or name another path"
STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # no SIGHUP on Windows


class Terminated(SystemExit):
    """SIGTERM or SIGHUP was received; the exit code is 128 plus the signal number, as in a shell."""


def run_command(command: Callable[[], None]) -> None:
    """Runs a command; reports a user error as one message on standard error and exits with code 2.

    File names are UTF-8 in every locale; characters missing from the terminal's encoding are printed as escapes. Closed
    standard streams are replaced by the null device. SIGTERM and SIGHUP raise an exception in the command, so that
    no partial files are left.
    """
    _open_closed_streams()
    _restart_in_utf8_mode()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _terminated_by_signals():
            try:
                command()
            except SystemExit:
                sys.stdout.flush()
                raise
            sys.stdout.flush()  # inside try, so that a failure is reported
    except SiameseError as error:
        _fail(str(error))
    except OSError as error:
        _fail(describe_os_error(error))


def _open_closed_streams() -> None:
    """Replaces closed standard streams with the null device, so that no other file gets their descriptors."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (open until exit)


def _restart_in_utf8_mode() -> None:
    """Restarts the process in Python's UTF-8 mode if the locale's encoding is not UTF-8.

    All files of this project contain names as UTF-8. Output stays in the encoding of the terminal.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode and sys.executable:
        environment = {**os.environ, "PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace"}
        os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], environment)


@contextmanager
def _terminated_by_signals() -> Iterator[None]:
    """Raises `Terminated` on the first SIGTERM or SIGHUP; signals that are ignored (nohup) stay ignored."""
    before: dict[int, Any] = {}

    def terminate(number: int, frame: Any) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)  # a closing terminal sends several signals
        raise Terminated(128 + number)

    if threading.current_thread() is threading.main_thread():
        before.update({one: signal.getsignal(one) for one in STOPPING if signal.getsignal(one) == signal.SIG_DFL})
        for one in before:
            signal.signal(one, terminate)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def describe_os_error(error: OSError) -> str:
    """Returns the file, the reason and a hint as one message."""
    where = error.filename2 or error.filename
    return f"{f'{where}: ' if where else ''}{error.strerror or error}. {HINTS.get(error.errno or 0, HINT)}"


def _fail(message: str) -> None:
    try:
        print(f"error: {printable(message, keep_layout=True)}", file=sys.stderr, flush=True)
    except OSError:  # the reader may be gone; the exit code is unchanged
        _discard(sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        _discard(sys.stdout)
    raise SystemExit(2)


def _discard(stream: TextIO) -> None:
    """Redirects a stream to the null device, so that flushing it at exit does not fail."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), stream.fileno())


def start_tensorflow() -> None:
    """Imports TensorFlow without its messages about GPUs and build options.

    Some messages ignore the log level, so standard error is redirected to a temporary file during the import; its
    content is printed if the import fails. Set TF_CPP_MIN_LOG_LEVEL to any value to print TensorFlow's log unchanged.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"  # Keras 3 may be configured with another backend
    home = home_folder()
    if home is None:  # Keras would read /tmp/.keras, which other users can write
        os.environ.setdefault("KERAS_HOME", str(temporary_home() / "keras"))
    if home is None or not os.access(home, os.W_OK):  # Matplotlib would print a warning
        os.environ.setdefault("MPLCONFIGDIR", str(temporary_home() / "matplotlib"))
    if LOG_LEVEL in os.environ or "tensorflow" in sys.modules:
        return
    os.environ[LOG_LEVEL] = "3"
    _open_closed_streams()
    sys.stderr.flush()
    standard_error = os.dup(2)
    with tempfile.TemporaryFile() as greeting:
        os.dup2(greeting.fileno(), 2)
        try:
            import_module("tensorflow")
        except BaseException:
            greeting.seek(0)
            os.write(standard_error, greeting.read())
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
