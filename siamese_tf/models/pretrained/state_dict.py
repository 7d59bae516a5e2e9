"""Reader of a PyTorch `state_dict` from an untrusted weights file, without PyTorch."""

import math
import os
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from siamese_tf.errors import ModelFileError
from siamese_tf.files import open_regular
from siamese_tf.models.pretrained.safetensors import read_safetensors
from siamese_tf.models.pretrained.torch_file import read_torch
from siamese_tf.printable import printable
from siamese_tf.zip_layout import ZipLayoutError, check_layout

MAX_BYTES = 2**29
MAX_ARRAYS = 4096  # the state_dict of InceptionResnetV1 has 800
MAX_EXPANSION, SLACK_BYTES = 4, 2**25  # weights hardly compress, but zeros do by a factor of a thousand
HINT = "Copy or convert the file again"


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Reads the arrays by name; no code in the file is executed.

    Args:
        path: file of at most 512 MiB: `.safetensors`; `.npz` with one array per name; or `.pt` or `.pth`, a
            `state_dict` written by `torch.save`.

    Returns:
        Numeric arrays by name, with the shapes in PyTorch.

    Raises:
        ModelFileError: if the file is missing, too large, damaged, has another suffix, or contains anything but numeric
            arrays.
    """
    path, name = Path(path), printable(str(path))
    readers = {".safetensors": read_safetensors, ".npz": _read_npz, ".pt": _read_torch, ".pth": _read_torch}
    if path.suffix not in readers:
        raise ModelFileError(f"weights must be a {', '.join(readers)} file; got {str(path)!r}. Convert the file")
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise ModelFileError(
                    f"it must have at most {MAX_BYTES:,} bytes; got {size:,}. Remove everything except the weights"
                )
            return readers[path.suffix](file)
    except OSError as error:
        raise ModelFileError(f"cannot read the weights {name}: {error.strerror or error}. Check the path") from error
    except ModelFileError as error:
        raise ModelFileError(f"{name} is not a valid weights file: {error}") from error


def _read_npz(file: IO[bytes]) -> dict[str, np.ndarray]:
    try:
        members = check_layout(file, MAX_ARRAYS)
        size, on_disk = sum(member.file_size for member in members), file.seek(0, os.SEEK_END)
        limit = min(MAX_BYTES, MAX_EXPANSION * on_disk + SLACK_BYTES)
        if size > limit:
            raise ModelFileError(f"it must expand to at most {limit:,} bytes; got {size:,}. {HINT}")
        names = [member.filename.removesuffix(".npy") for member in members]
        if len(set(names)) < len(names):
            raise ModelFileError(f"a name occurs twice. {HINT}")
        with zipfile.ZipFile(file) as archive:
            return {name: _read_npy(archive, member) for name, member in zip(names, members, strict=True)}
    except ZipLayoutError as error:
        raise ModelFileError(f"the archive is damaged: {error}. {HINT}") from error
    except (ModelFileError, OSError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise many exception types, some with misleading advice
        raise ModelFileError(
            f"the archive is damaged, or was not written by np.savez ({type(error).__name__}). {HINT}"
        ) from error


def _read_npy(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Reads one array after checking that its size matches its header."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with archive.open(member) as file:
        shape, fortran_order, dtype = readers[np.lib.format.read_magic(file)](file)
        content = file.read()
    if dtype.kind not in "fiu":
        raise ModelFileError(f"{member.filename!r:.100} must have a numeric dtype; got {dtype!s:.60}. {HINT}")
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ModelFileError(
            f"{member.filename!r:.100} must have the bytes of its shape {shape!s:.60}; got {len(content):,} bytes"
        )
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C")


def _read_torch(file: IO[bytes]) -> dict[str, np.ndarray]:
    return read_torch(file, MAX_BYTES)
