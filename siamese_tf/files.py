"""Files that are whole or not there: every write of the project goes through `atomic_write`."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_write(path: str | Path, mode: str = "wb") -> Iterator[IO]:
    """Opens a temporary file beside `path` that takes its name only when the block ends well.

    The bytes are flushed to the disk before the rename, so a reader, or a restart after a kill, finds the old file or
    the new one, never a part. When the block raises, the old file stays and the temporary one is removed.

    Args:
        path: where the file shall stand; missing parent folders are made.
        mode: `"wb"` or `"w"` (UTF-8, newlines as written).

    Yields:
        The open temporary file, seekable and readable.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with open(handle, mode + "+", **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and (error.filename is None or str(error.filename).endswith(".tmp")):
            error.filename = str(path)  # the reader of the message knows this file, not the temporary one
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
