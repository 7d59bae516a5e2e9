"""Lock on the pair files of a data set, so that only one process generates them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siamese_tf.locks import locked_folder

_held = threading.local()


@contextmanager
def pairs_lock(folder: Path) -> Iterator[None]:
    """Waits until no other process generates pair files in a folder, and locks the folder.

    Who holds it can enter again.
    """
    held: set[str] = _held.__dict__.setdefault("folders", set())
    key = os.path.realpath(folder)
    if key in held:
        yield
        return
    with locked_folder(folder, f"the pairs in {folder} are being made by another run"):
        held.add(key)
        try:
            yield
        finally:
            held.remove(key)
