"""What surrounds every command: TensorFlow's start without its greeting, and errors as one message."""

import errno
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper

from siamese_tf.errors import SiameseError
from siamese_tf.printable import printable

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
CURES = {
    errno.EEXIST: "It is a file where a folder is needed: name another folder",
    errno.EPIPE: "What read the output ended before it was written: let it read to the end",
    errno.ENOSPC: "Free some space, or write to another disk",
}
CURE = "Check the path and its rights, or name another"


def run_command(command: Callable[[], None]) -> None:
    """Runs a command; what a user can cure ends in one message on standard error and exit code 2.

    A letter that the terminal's encoding has not is printed as its number.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        command()
    except SiameseError as error:
        _fail(str(error))
    except OSError as error:
        _fail(in_words(error))


def in_words(error: OSError) -> str:
    """What the system refused, of which file, and the cure."""
    where = error.filename2 or error.filename
    return f"{f'{where}: ' if where else ''}{error.strerror or error}. {CURES.get(error.errno or 0, CURE)}"


def _fail(message: str) -> None:
    with suppress(OSError):  # nobody may be there to read it; the exit code stays
        print(f"error: {printable(message, keep_layout=True)}", file=sys.stderr)
    raise SystemExit(2)


def start_tensorflow() -> None:
    """Imports TensorFlow without the lines it prints about GPUs it did not find and how it was built.

    Some of them heed no log level, so the process's standard error goes to a file meanwhile; if the import fails, what
    stands there is printed after all. Set TF_CPP_MIN_LOG_LEVEL to anything to read TensorFlow's log as it comes.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"  # Keras 3 may be set to another for other work
    if LOG_LEVEL in os.environ or "tensorflow" in sys.modules:
        return
    os.environ[LOG_LEVEL] = "3"
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
