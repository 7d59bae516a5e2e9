"""How a command that trains ends when it is stopped, by the user or by the machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from siamese_tf.console import Terminated
from siamese_tf.errors import SiameseError


@contextmanager
def interruption_handler(cure: str) -> Iterator[None]:
    """Around a training: Ctrl-C ends in exit code 130, what stops TensorFlow in a message, a signal in its own code.

    Args:
        cure: how to go on, a sentence.
    """
    import tensorflow as tf

    try:
        yield
    except KeyboardInterrupt:
        print(f"\nStopped. {cure}", file=sys.stderr)
        raise typer.Exit(130) from None
    except Terminated:
        with suppress(OSError):  # the terminal may be gone
            print(f"\nStopped. {cure}", file=sys.stderr, flush=True)
        raise
    except tf.errors.OpError as error:  # the TensorBoard log meets a full disk, or the network a full memory
        reason = error.message.split("}} ")[-1].split(" [Op:")[0].splitlines()[0]
        raise SiameseError(f"TensorFlow stopped: {reason}. Check disk and memory. {cure}") from error
