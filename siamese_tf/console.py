"""Frame of every command: streams, signals, quiet start of TensorFlow, errors as one message."""

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
    errno.EEXIST: "It is a file where a folder is needed: name another folder",
    errno.ENOTDIR: "It is below a file where a folder is needed: name another folder",
    errno.EPIPE: "What read the output ended before it was written: let it read to the end",
    errno.ENOSPC: "Free some space, or write to another disk",
}
HINT = "Check the path and its rights, or name another"
STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # no SIGHUP on Windows


class Terminated(SystemExit):
    """SIGTERM or SIGHUP was received; the exit code is 128 plus the signal number, as in a shell."""


def run_command(command: Callable[[], None]) -> None:
    """Runs a command; errors that a user can cause are one message on standard error and exit code 2.

    File names are UTF-8 in every locale; a letter that the terminal's encoding has not is printed as its number. A
    standard stream that is closed is the null device. SIGTERM and SIGHUP end the command as an exception does, so that
    nothing half-written is left.
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
            sys.stdout.flush()  # here, where it can fail with a message
    except SiameseError as error:
        _fail(str(error))
    except OSError as error:
        _fail(describe_os_error(error))


def _open_closed_streams() -> None:
    """Replaces closed standard streams by the null device, so that no file gets their descriptors."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (for the rest of the process)


def _restart_in_utf8_mode() -> None:
    """Restarts the process in Python's UTF-8 mode if the locale's encoding is not UTF-8.

    Names of files, of people and of classes are UTF-8 in all files of this project. What is printed stays in the
    encoding of the terminal.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode and sys.executable:
        environment = {**os.environ, "PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace"}
        os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], environment)


@contextmanager
def _terminated_by_signals() -> Iterator[None]:
    """Raises `Terminated` at the first SIGTERM or SIGHUP, unless they are ignored (nohup)."""
    before: dict[int, Any] = {}

    def terminate(number: int, frame: Any) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)  # a closing terminal sends several
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
    """Describes the failed operation and the file, with a hint."""
    where = error.filename2 or error.filename
    return f"{f'{where}: ' if where else ''}{error.strerror or error}. {HINTS.get(error.errno or 0, HINT)}"


def _fail(message: str) -> None:
    try:
        print(f"error: {printable(message, keep_layout=True)}", file=sys.stderr, flush=True)
    except OSError:  # nobody may be there to read it; the exit code stays
        _discard(sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        _discard(sys.stdout)
    raise SystemExit(2)


def _discard(stream: TextIO) -> None:
    """Redirects a stream to the null device, so that Python does not fail to flush it at exit."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), stream.fileno())


def start_tensorflow() -> None:
    """Imports TensorFlow without its messages about GPUs and build options.

    Some of them heed no log level, so the process's standard error goes to a file meanwhile; if the import fails, what
    stands there is printed after all. Set TF_CPP_MIN_LOG_LEVEL to anything to read TensorFlow's log as it comes.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"  # Keras 3 may be set to another for other work
    home = home_folder()
    if home is None:  # Keras would read what others may have put into /tmp/.keras
        os.environ.setdefault("KERAS_HOME", str(temporary_home() / "keras"))
    if home is None or not os.access(home, os.W_OK):  # Matplotlib would warn
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
