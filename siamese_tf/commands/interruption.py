"""Exit codes and messages of an interrupted training command."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from siamese_tf.console import Terminated
from siamese_tf.errors import SiameseError


@contextmanager
def interruption_handler(hint: str) -> Iterator[None]:
    """Handles interruptions of a training: Ctrl-C exits with code 130, a signal with its own code.

    An error of TensorFlow is raised as a SiameseError with its first line.

    Args:
        hint: a sentence on how to continue, appended to each message.
    """
    import tensorflow as tf

    try:
        yield
    except KeyboardInterrupt:
        print(f"\nStopped. {hint}", file=sys.stderr)
        raise typer.Exit(130) from None
    except Terminated:
        with suppress(OSError):  # the terminal may be closed
            print(f"\nStopped. {hint}", file=sys.stderr, flush=True)
        raise
    except tf.errors.OpError as error:  # such as a full disk or memory
        reason = error.message.split("}} ")[-1].split(" [Op:")[0].splitlines()[0]
        raise SiameseError(f"TensorFlow stopped: {reason}. Check disk and memory. {hint}") from error
