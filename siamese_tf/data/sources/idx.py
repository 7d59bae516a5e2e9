"""IDX files, the format in which MNIST is published, read without trusting their headers."""

import gzip
import hashlib
import math
import os
import struct
import zlib
from io import BufferedIOBase, BufferedReader
from pathlib import Path

import numpy as np

from siamese_tf.errors import DatasetError
from siamese_tf.files import open_regular

_GZIP_MAGIC = b"\x1f\x8b"
_MAX_EXPANSION = 200  # a gzip bomb expands a thousandfold, images tenfold
_SLACK = 1 << 26
_CHUNK = 1 << 20
_OTHER_DTYPES = {9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}
_AGAIN = "fetch it again"
_FETCH_AGAIN = f"the file is damaged or was not meant for here: {_AGAIN}"


def read_idx(path: str | Path, expected_sha256: str | None = None) -> np.ndarray:
    """Reads one IDX file of unsigned bytes, plain or gzip (detected from its content, not by its name).

    The header is compared with the size of the file before memory is taken for the values, and no more bytes are
    unpacked than it declares, plus one to see that the file ends there.

    Args:
        path: the file.
        expected_sha256: what the SHA-256 of the uncompressed bytes must be, in hexadecimal; None accepts any.

    Returns:
        uint8 array, 0 to 255, of one to four dimensions, as the header says: (n,) for labels, (n, h, w) or
        (n, h, w, c) for images.

    Raises:
        DatasetError: the file is missing, damaged, no IDX file, or not the one expected.
    """
    path = Path(path)
    if not os.path.isfile(path):
        found = "it is not a file" if os.path.exists(path) else "there is no such file"
        raise _refusal(path, found, "an IDX file", "check the path")
    try:
        with open_regular(path) as file:
            header, shape, values = _read_checked(path, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _refusal(path, f"its gzip data is broken ({error})", "a whole gzip file", _FETCH_AGAIN) from error
    except OSError as error:
        raise _refusal(
            path, f"it cannot be read ({error.strerror or error})", "a readable file", "check its rights"
        ) from error

    if expected_sha256 is not None:
        found_sha256 = _sha256(header, values)
        if found_sha256 != expected_sha256:
            found = f"the SHA-256 of its uncompressed bytes is {found_sha256}"
            raise _refusal(path, found, f"{expected_sha256}, the published file", "remove it and fetch it again")
    return np.frombuffer(values, np.uint8).reshape(shape)


def idx_sha256(values: np.ndarray) -> str:
    """Returns the SHA-256 of the uncompressed IDX file that holds these values.

    Args:
        values: uint8 array of one to four dimensions.

    Returns:
        64 hexadecimal digits.
    """
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return _sha256(header, np.ascontiguousarray(values).data)


def _read_checked(path: Path, file: BufferedReader) -> tuple[bytes, tuple[int, ...], bytearray]:
    """Returns the header, the shape it declares, and as many bytes of values as that shape asks."""
    file_size = os.fstat(file.fileno()).st_size
    packed = file.read(2) == _GZIP_MAGIC
    if packed:
        file.seek(max(0, file_size - 4))
        size_at_end = int.from_bytes(file.read(4), "little")  # modulo 2**32
        file.seek(0)
        with gzip.GzipFile(fileobj=file) as stream:
            return _read_stream(path, stream, file_size * _MAX_EXPANSION + _SLACK, size_at_end)
    file.seek(0)
    return _read_stream(path, file, file_size)


def _read_stream(
    path: Path, stream: BufferedIOBase, limit: int, size_at_end: int | None = None
) -> tuple[bytes, tuple[int, ...], bytearray]:
    header, shape = _read_header(path, stream)
    declared = math.prod(shape)
    expected = f"{declared:,} for the shape {shape} in its header"
    if declared > limit - len(header):
        raise _refusal(path, f"it can hold at most {limit - len(header):,} bytes of values", expected, _FETCH_AGAIN)
    if size_at_end is not None and declared > _SLACK and size_at_end != (len(header) + declared) % 2**32:
        found = f"its gzip data ends with a size of {size_at_end:,} bytes in all"
        raise _refusal(path, found, f"{len(header)} and {expected}", f"unpack it, for example with gunzip, or {_AGAIN}")

    values = bytearray()
    while chunk := stream.read(min(_CHUNK, declared + 1 - len(values))):
        values += chunk
    if len(values) != declared:
        found = "more bytes of values follow" if len(values) > declared else f"{len(values):,} bytes of values follow"
        raise _refusal(path, found, expected, _FETCH_AGAIN)
    return header, shape, values


def _read_header(path: Path, stream: BufferedIOBase) -> tuple[bytes, tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\x00\x00":
        found = f"it begins with the bytes [{magic.hex(' ')}]"
        raise _refusal(path, found, "an IDX file, which begins with [00 00 08] and 1 to 4", _FETCH_AGAIN)
    code, ndim = magic[2], magic[3]
    if code != 8:
        found = f"its type code is 0x{code:02x} ({_OTHER_DTYPES.get(code, 'unknown')})"
        raise _refusal(path, found, "0x08 (uint8)", "write the values as unsigned bytes")
    if not 1 <= ndim <= 4:
        raise _refusal(path, f"it declares {ndim} dimensions", "1 to 4", _FETCH_AGAIN)
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise _refusal(path, f"it ends after {4 + len(sizes)} bytes", f"a header of {4 + 4 * ndim}", _FETCH_AGAIN)
    return magic + sizes, struct.unpack(f">{ndim}I", sizes)


def _sha256(header: bytes, values: bytearray | memoryview) -> str:
    digest = hashlib.sha256(header)
    digest.update(values)
    return digest.hexdigest()


def _refusal(path: Path, found: str, expected: str, hint: str) -> DatasetError:
    return DatasetError(f"{path}: {found}; expected {expected}; {hint}")
