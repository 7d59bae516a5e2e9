"""Reader of `.safetensors` files: a JSON header with names, dtypes and offsets, then the data. No code is executed.

Reference:
    https://github.com/huggingface/safetensors, "Format".
"""

import json
import math
from typing import IO, Any

import numpy as np

from siamese_tf.errors import ModelFileError
from siamese_tf.printable import short_reason

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
MAX_HEADER_BYTES = 2**20
MAX_AXES = 8
MAX_NUMBER = 2**40  # maximum axis length or offset; larger integers could be too long to print
HINT = "Copy or convert the file again"


def read_safetensors(file: IO[bytes]) -> dict[str, np.ndarray]:
    """Reads the arrays by name, after checking that the header describes exactly the bytes that follow.

    Args:
        file: open binary file, read into memory completely; the caller must limit its size.

    Returns:
        Read-only arrays by name, with the shapes and dtypes in the file.

    Raises:
        ModelFileError: if the file is damaged, or an array has a dtype that is not in DTYPES.
    """
    content = file.read()
    if not content:
        raise ModelFileError(f"it is empty. {HINT}")
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(len(content) - 8, MAX_HEADER_BYTES):
        raise ModelFileError(
            f"its header must have at most {MAX_HEADER_BYTES:,} bytes and fit into the file of {len(content):,} bytes;"
            f" got a length of {length:,}. {HINT}"
        )
    header, data = _header(content[8 : 8 + length]), memoryview(content)[8 + length :]
    arrays, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape, (start, stop) = entry["dtype"], entry["shape"], entry["data_offsets"]
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if start != end or stop - start != size or stop > len(data):
            raise ModelFileError(
                f"{name!r:.100} must have {size:,} bytes at offset {end:,}; got offsets {start:,} to {stop:,} in"
                f" {len(data):,} bytes. {HINT}"
            )
        arrays[name], end = np.frombuffer(data[start:stop], dtype).reshape(shape), stop
    if end != len(data):
        raise ModelFileError(f"{len(data) - end:,} bytes at its end belong to no array. {HINT}")
    return arrays


def _header(text: bytes) -> dict[str, Any]:
    """Returns the entries by name after checking them, with NumPy dtypes."""
    try:
        header = json.loads(text, object_pairs_hook=_unique_names)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its header is not JSON: {short_reason(error)}. {HINT}") from error
    if not isinstance(header, dict):
        raise ModelFileError(f"its header must be a JSON object; got {type(header).__name__}. {HINT}")
    header.pop("__metadata__", None)
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ModelFileError(f"{name!r:.100} must have dtype, shape and data_offsets; got {entry!r:.100}. {HINT}")
        if entry["dtype"] not in tuple(DTYPES):
            raise ModelFileError(
                f"{name!r:.100} must have a dtype of {', '.join(DTYPES)}; got {entry['dtype']!r:.20}. Convert it to F32"
            )
        offsets = entry["data_offsets"]
        if not _are_integers(entry["shape"], 1, MAX_AXES) or not _are_integers(offsets, 0, 2) or len(offsets) < 2:
            raise ModelFileError(f"{name!r:.100} must have a valid shape and data_offsets; got {entry!r:.100}. {HINT}")
        entry["dtype"] = DTYPES[entry["dtype"]]
    return header


def _are_integers(numbers: Any, minimum: int, max_length: int) -> bool:
    """Returns True for a list of at most `max_length` integers from `minimum` to MAX_NUMBER."""
    if not isinstance(numbers, list) or len(numbers) > max_length:
        return False
    return all(type(number) is int and minimum <= number <= MAX_NUMBER for number in numbers)


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)
