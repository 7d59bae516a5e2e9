"""Reader of a PyTorch `state_dict` from an untrusted file of weights."""

import math
import os
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np

from siamese_tf.errors import ModelFileError
from siamese_tf.files import open_regular
from siamese_tf.models.pretrained.safetensors import read_safetensors
from siamese_tf.printable import printable
from siamese_tf.zip_layout import ZipLayoutError, check_layout

MAX_BYTES = 2**29
MAX_ARRAYS = 4096  # the state_dict of InceptionResnetV1 has 800
MAX_EXPANSION, SLACK_BYTES = 4, 2**25  # weights hardly compress; zeros do, a thousandfold
SAFE_TORCH = (2, 6)  # before, `weights_only` could be got round (CVE-2025-32434)
HINT = "Copy or convert the file again"


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Reads the arrays by name; nothing in the file is executed.

    Args:
        path: `.safetensors`, or `.npz` with an array under each name, or `.pt` or `.pth` that `torch.save` wrote of a
            `state_dict`, which needs PyTorch to be installed. At most 512 MiB.

    Returns:
        Arrays of numbers, in the shapes that PyTorch gives them.

    Raises:
        ModelFileError: missing, of another kind, too large, damaged, or with anything but arrays of numbers.
    """
    path, name = Path(path), printable(str(path))
    readers = {".safetensors": read_safetensors, ".npz": _read_npz, ".pt": _read_torch, ".pth": _read_torch}
    if path.suffix not in readers:
        raise ModelFileError(f"weights are read from {', '.join(readers)}; got {str(path)!r}. Convert them to one")
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise ModelFileError(f"it has {size:,} bytes; at most {MAX_BYTES:,} are read. Remove what is no weight")
            return readers[path.suffix](file)
    except OSError as error:
        raise ModelFileError(f"cannot read the weights {name}: {error.strerror or error}. Check the path") from error
    except ModelFileError as error:
        raise ModelFileError(f"{name} is not a file of weights that can be read: {error}") from error


def _read_npz(file: IO[bytes]) -> dict[str, np.ndarray]:
    try:
        members = check_layout(file, MAX_ARRAYS)
        size, on_disk = sum(member.file_size for member in members), file.seek(0, os.SEEK_END)
        limit = min(MAX_BYTES, MAX_EXPANSION * on_disk + SLACK_BYTES)
        if size > limit:
            raise ModelFileError(f"it expands to {size:,} bytes; at most {limit:,} are read. {HINT}")
        names = [member.filename.removesuffix(".npy") for member in members]
        if len(set(names)) < len(names):
            raise ModelFileError(f"a name occurs twice. {HINT}")
        with zipfile.ZipFile(file) as archive:
            return {name: _read_npy(archive, member) for name, member in zip(names, members, strict=True)}
    except ZipLayoutError as error:
        raise ModelFileError(f"the archive is damaged: {error}. {HINT}") from error
    except (ModelFileError, OSError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy's header parser raise a dozen kinds, some with bad advice
        raise ModelFileError(
            f"the archive is damaged, or not as np.savez writes one ({type(error).__name__}). {HINT}"
        ) from error


def _read_npy(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Reads one array after checking its size against its header."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with archive.open(member) as file:
        shape, by_columns, dtype = readers[np.lib.format.read_magic(file)](file)
        content = file.read()
    if dtype.kind not in "fiu":
        raise ModelFileError(f"{member.filename!r:.100} has dtype {dtype!s:.60}; expected numbers. {HINT}")
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ModelFileError(
            f"{member.filename!r:.100} says it has shape {shape!s:.60} and holds {len(content):,} bytes"
        )
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")


def _read_torch(file: IO[bytes]) -> dict[str, np.ndarray]:
    try:
        torch = import_module("torch")
    except ImportError as error:
        raise ModelFileError(
            ".pt and .pth need PyTorch, which is not installed: install torch, or convert the file to .safetensors"
            " where it is"
        ) from error
    if tuple(map(int, torch.__version__.split(".")[:2])) < SAFE_TORCH:
        raise ModelFileError(f"PyTorch {torch.__version__} does not read such files safely; install 2.6 or newer")
    try:
        return _from_torch(torch, torch.load(file, map_location="cpu", weights_only=True))
    except ModelFileError:
        raise
    except Exception as error:  # so does torch
        raise ModelFileError(
            f"PyTorch finds damage, or more than tensors, in it ({type(error).__name__}). Save model.state_dict()"
        ) from error


def _from_torch(torch: Any, weights: Any) -> dict[str, np.ndarray]:
    """Converts tensors to arrays after checking their sizes: few stored values can expand to many."""
    if not isinstance(weights, Mapping) or not all(isinstance(weight, torch.Tensor) for weight in weights.values()):
        raise ModelFileError("it must hold a state_dict alone, a tensor under each name. Save model.state_dict()")
    for name, weight in weights.items():
        if weight.layout != torch.strided:
            raise ModelFileError(f"{name!r:.100} has layout {weight.layout}; expected torch.strided. Save it dense")
    size = sum(4 * weight.numel() for weight in weights.values())
    if size > MAX_BYTES:
        raise ModelFileError(f"its tensors need {size:,} bytes; at most {MAX_BYTES:,} are read. {HINT}")
    return {str(name): weight.detach().float().numpy() for name, weight in weights.items()}
