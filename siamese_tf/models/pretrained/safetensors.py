"""Reader of `.safetensors` files: a JSON header of names, dtypes and offsets, then the data. Executes nothing.

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
MAX_NUMBER = 2**40  # of an axis or a place: what is longer cannot be written out
HINT = "Copy or convert the file again"


def read_safetensors(file: IO[bytes]) -> dict[str, np.ndarray]:
    """Reads the arrays by name, after checking that the header describes exactly the bytes that follow.

    Args:
        file: open for reading, and small enough to be read whole; the caller looks at its size.

    Returns:
        Arrays that cannot be written to, of the shapes and types in the file.

    Raises:
        ModelFileError: damaged, or with arrays of other types than DTYPES.
    """
    content = file.read()
    if not content:
        raise ModelFileError(f"it is empty. {HINT}")
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(len(content) - 8, MAX_HEADER_BYTES):
        raise ModelFileError(
            f"its header says that it has {length:,} bytes; the file has {len(content):,}, and a header at most"
            f" {MAX_HEADER_BYTES:,}. {HINT}"
        )
    header, data = _header(content[8 : 8 + length]), memoryview(content)[8 + length :]
    arrays, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape, (begin, stop) = entry["dtype"], entry["shape"], entry["data_offsets"]
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if begin != end or stop - begin != size or stop > len(data):
            raise ModelFileError(
                f"{name!r:.100} needs {size:,} bytes from {end:,} on and stands at {begin:,} to {stop:,} of"
                f" {len(data):,}. {HINT}"
            )
        arrays[name], end = np.frombuffer(data[begin:stop], dtype).reshape(shape), stop
    if end != len(data):
        raise ModelFileError(f"{len(data) - end:,} bytes at its end belong to no array. {HINT}")
    return arrays


def _header(text: bytes) -> dict[str, Any]:
    """Returns the entries by name, each checked, with the dtype in NumPy's notation."""
    try:
        header = json.loads(text, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its header is not JSON: {short_reason(error)}. {HINT}") from error
    if not isinstance(header, dict):
        raise ModelFileError(f"its header must be a JSON object; it is a {type(header).__name__}. {HINT}")
    header.pop("__metadata__", None)
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ModelFileError(f"{name!r:.100} must have dtype, shape and data_offsets; got {entry!r:.100}. {HINT}")
        if entry["dtype"] not in tuple(DTYPES):
            raise ModelFileError(
                f"{name!r:.100} has type {entry['dtype']!r:.20}; {', '.join(DTYPES)} are read. Convert it to F32"
            )
        offsets = entry["data_offsets"]
        if not _to_int(entry["shape"], 1, MAX_AXES) or not _to_int(offsets, 0, 2) or len(offsets) < 2:
            raise ModelFileError(f"{name!r:.100} has a shape or a place that is none: {entry!r:.100}. {HINT}")
        entry["dtype"] = DTYPES[entry["dtype"]]
    return header


def _to_int(numbers: Any, least: int, most: int) -> bool:
    """Checks a list of at most `count` integers between a minimum and MAX_NUMBER."""
    if not isinstance(numbers, list) or len(numbers) > most:
        return False
    return all(type(number) is int and least <= number <= MAX_NUMBER for number in numbers)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)
