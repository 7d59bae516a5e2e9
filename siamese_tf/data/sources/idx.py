"""Reader of IDX files, the format of MNIST; headers are not trusted."""

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
_MAX_EXPANSION = 200  # gzip expands images about 10 times, a gzip bomb 1,000 times
_SLACK = 1 << 26
_CHUNK = 1 << 20
_OTHER_DTYPES = {9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}
_DOWNLOAD_AGAIN = "Download it again, or name another file"


def read_idx(path: str | Path, expected_sha256: str | None = None) -> np.ndarray:
    """Reads an IDX file of unsigned bytes, plain or gzip (detected from the content, not from the name).

    The declared size is compared with the file size before memory is allocated. At most one byte more than declared is
    unpacked, to detect trailing bytes.

    Args:
        path: path of the file.
        expected_sha256: expected SHA-256 (hexadecimal) of the uncompressed bytes; None accepts any.

    Returns:
        uint8 array, 0 to 255, with the 1 to 4 dimensions declared in the header: (n,) for labels, (n, h, w) or
        (n, h, w, c) for images.

    Raises:
        DatasetError: if the file is missing, unreadable, damaged or not an IDX file, or has another SHA-256.
    """
    path = Path(path)
    if not os.path.isfile(path):
        found = "a path that is not a file" if os.path.exists(path) else "a path that does not exist"
        raise _refusal(path, found, "an IDX file", "Check the path")
    try:
        with open_regular(path) as file:
            header, shape, values = _read_checked(path, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _refusal(path, f"damaged gzip data ({error})", "a complete gzip file", _DOWNLOAD_AGAIN) from error
    except OSError as error:
        raise _refusal(path, f"{error.strerror or error}", "a readable file", "Check its permissions") from error

    if expected_sha256 is not None:
        found_sha256 = _sha256(header, values)
        if found_sha256 != expected_sha256:
            expected = f"the published file, with the SHA-256 {expected_sha256} of the uncompressed bytes"
            raise _refusal(path, f"the SHA-256 {found_sha256}", expected, "Remove it and download it again")
    return np.frombuffer(values, np.uint8).reshape(shape)


def idx_sha256(values: np.ndarray) -> str:
    """Returns the SHA-256 of the uncompressed IDX file that contains the values.

    Args:
        values: uint8 array of 1 to 4 dimensions.

    Returns:
        64 hexadecimal digits.
    """
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return _sha256(header, np.ascontiguousarray(values).data)


def _read_checked(path: Path, file: BufferedReader) -> tuple[bytes, tuple[int, ...], bytearray]:
    """Returns the header, the declared shape, and the bytes of the values."""
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
    expected = f"{declared:,} bytes of values for the shape {shape} in its header"
    if declared > limit - len(header):
        raise _refusal(path, f"at most {limit - len(header):,} bytes", f"a file of {expected}", _DOWNLOAD_AGAIN)
    if size_at_end is not None and declared > _SLACK and size_at_end != (len(header) + declared) % 2**32:
        found = f"gzip data that declares a total of {size_at_end:,} bytes"
        expected = f"a file of {len(header)} bytes of header and {expected}"
        raise _refusal(path, found, expected, "Unpack it, for example with gunzip, or download it again")

    values = bytearray()
    while chunk := stream.read(min(_CHUNK, declared + 1 - len(values))):
        values += chunk
    if len(values) != declared:
        found = "more bytes" if len(values) > declared else f"{len(values):,} bytes"
        raise _refusal(path, found, f"a file of {expected}", _DOWNLOAD_AGAIN)
    return header, shape, values


def _read_header(path: Path, stream: BufferedIOBase) -> tuple[bytes, tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\x00\x00":
        found = f"a file that starts with [{magic.hex(' ')}]"
        raise _refusal(path, found, "an IDX file, which starts with the bytes [00 00 08] and 1 to 4", _DOWNLOAD_AGAIN)
    code, ndim = magic[2], magic[3]
    if code != 8:
        found = f"type 0x{code:02x} ({_OTHER_DTYPES.get(code, 'unknown')})"
        raise _refusal(path, found, "an IDX file of type 0x08 (uint8)", "Write the values as unsigned bytes")
    if not 1 <= ndim <= 4:
        raise _refusal(path, f"{ndim} dimensions", "an IDX file of 1 to 4 dimensions", _DOWNLOAD_AGAIN)
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        found, expected = f"{4 + len(sizes)} bytes", f"an IDX file with a header of {4 + 4 * ndim} bytes"
        raise _refusal(path, found, expected, _DOWNLOAD_AGAIN)
    return magic + sizes, struct.unpack(f">{ndim}I", sizes)


def _sha256(header: bytes, values: bytearray | memoryview) -> str:
    digest = hashlib.sha256(header)
    digest.update(values)
    return digest.hexdigest()


def _refusal(path: Path, found: str, expected: str, hint: str) -> DatasetError:
    return DatasetError(f"{path}: must be {expected}; got {found}. {hint}")
