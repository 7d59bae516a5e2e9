"""The two pair files of a folder, which one run makes: kept apart from other runs, and recognized."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siamese_tf.data.pair_file import PairFile
from siamese_tf.errors import PairFileError
from siamese_tf.locks import locked_folder

# Of the manifest, what is the same in both files of one run, and tells two runs apart.
GENERATION_KEYS = "files version seed split images pairs duplicates audit form unreadable".split()

_held = threading.local()


@contextmanager
def pairs_lock(folder: Path) -> Iterator[None]:
    """Waits until no other process makes pair files in a folder, and keeps others from it meanwhile.

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


def check_same_run(train: PairFile, test: PairFile) -> None:
    """Refuses two files that stand side by side and say that they were made of other images, or in two runs.

    A kill between the renames of the two leaves such files; an image may then be in both.

    Raises:
        PairFileError: they were; with what differs.
    """
    before, now = train.manifest, test.manifest
    differing = [key for key in GENERATION_KEYS if key in before and key in now and before[key] != now[key]]
    if differing:
        what = "from other images" if "files" in differing else f"in another run (other {', '.join(differing)})"
        raise PairFileError(
            f"{test.path} was made {what} than {train.path}, beside which it stands."
            " Make both again with siamese-tf pairs generate, or name a test file with --test-pairs."
        )
