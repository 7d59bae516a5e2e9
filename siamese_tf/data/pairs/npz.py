"""Zip files of arrays in the format of `np.load`, written reproducibly and read without trusting the contents."""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from siamese_tf.errors import PairFileError
from siamese_tf.files import atomic_write
from siamese_tf.printable import short_reason
from siamese_tf.zip_layout import check_layout

MAX_BYTES = 2**34
MAX_EXPANSION = 200  # images expand about tenfold, zip bombs a thousandfold
SLACK_BYTES = 2**26
BLOCK_BYTES = 2**20
HEADER_BYTES = 128  # for an array of up to four dimensions
MAX_HEADER_BYTES = 2**16
MAX_MEMBERS = 1000
LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # header of a zip member, before its name


def check_size(arrays: Mapping[str, np.ndarray], name: str) -> None:
    """Checks before writing that arrays are small enough together for `read_npz`.

    Args:
        arrays: arrays by name, the argument of `write_npz`.
        name: name of the file in messages.

    Raises:
        PairFileError: if they are too large; the message gives the size and the limit.
    """
    size = sum(array.nbytes + HEADER_BYTES for array in arrays.values())
    if size > MAX_BYTES:
        raise PairFileError(
            f"{name} must be at most {MAX_BYTES:,} bytes to be loaded; got {size:,}. Use fewer or smaller images"
            " (--image-size, --color grey)"
        )


def write_npz(path: str | Path, arrays: Mapping[str, np.ndarray], *, private: bool = False) -> None:
    """Writes arrays under their names, atomically; equal arrays give equal bytes.

    The arrays are not compressed: this is fastest, and the bytes do not depend on the version of a compression library.
    If `private`, only the owner can read the file.
    """
    with atomic_write(path, private=private) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            member.external_attr = 0o644 << 16
            with archive.open(member, "w", force_zip64=True) as out:
                _write_array(out, array)


def member_crc32(array: np.ndarray) -> int:
    """Returns the CRC-32 of an array written by `write_npz`, which also covers its shape and dtype."""
    sink = _Crc32()
    _write_array(sink, array)
    return sink.value


class _Crc32:
    """File object that computes the CRC-32 of the written bytes and discards them."""

    value = 0

    def write(self, data: bytes) -> int:
        self.value = zlib.crc32(data, self.value)
        return len(data)


def _write_array(out: Any, array: np.ndarray) -> None:
    little_endian = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    np.lib.format.write_array(out, little_endian, version=(1, 0), allow_pickle=False)


class Header(NamedTuple):
    """Header of an array; `size` is the size of the header itself in bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    size: int


def read_npz(
    file: IO[bytes],
    name: str,
    known: tuple[str, ...],
    mapped: tuple[str, ...] = (),
    check: Callable[[dict[str, Header]], object] = lambda headers: None,
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Reads the known arrays of an open file; checks sizes and types before it allocates memory.

    Members with other names are neither decompressed nor parsed, and their size does not count.

    Args:
        file: file open for reading, at its start.
        name: name of the file in messages.
        known: names of the arrays to read; each is optional.
        mapped: subset of `known` to memory-map read-only unless compressed.
        check: function that gets the headers of the known arrays before any is read, and raises `PairFileError` to
            reject them.

    Returns:
        Arrays by name; and the CRC-32 of every member of the file, known or not, by file name.

    Raises:
        PairFileError: if the file is not a zip file, is damaged, or has a layout that `check_layout` rejects; or if a
            known array contains objects or is larger than its header states.
    """
    try:
        members = check_layout(file, MAX_MEMBERS)
        keys = {f"{key}.npy": key for key in known}
        by_name = {keys[info.filename]: info for info in members if info.filename in keys}
        _check_sizes(by_name.values(), name, on_disk=file.seek(0, 2))
        with zipfile.ZipFile(file) as archive:
            headers = {key: _read_header(archive, info, name) for key, info in by_name.items()}
            check(headers)
            arrays = {
                key: _read_array(archive, info, headers[key], file if key in mapped else None)
                for key, info in by_name.items()
            }
        return arrays, {info.filename: info.CRC for info in members}
    except PairFileError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen types on damaged bytes
        reason = short_reason(error)
        raise PairFileError(
            f"{name} cannot be read as a pair file (.npz): {reason}. If it is damaged, generate or copy it again."
        ) from error


def _check_sizes(members: Iterable[zipfile.ZipInfo], name: str, on_disk: int) -> None:
    size = sum(member.file_size for member in members)
    limit = min(MAX_BYTES, MAX_EXPANSION * on_disk + SLACK_BYTES)
    if size > limit:
        raise PairFileError(f"{name}, {on_disk:,} bytes, must expand to at most {limit:,} bytes; got {size:,}.")


def _read_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Header:
    with archive.open(info) as member:
        start = io.BytesIO(member.read(MAX_HEADER_BYTES))
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(start)
    if version not in readers:
        raise PairFileError(f"{name}: {info.filename} must have format version 1 or 2; got {version}.")
    shape, fortran_order, dtype = readers[version](start)
    if dtype.kind not in "biuU":
        raise PairFileError(f"{name}: {info.filename} must be whole numbers or text; got dtype {dtype!s:.100}.")
    expected, size = math.prod(shape) * dtype.itemsize, info.file_size - start.tell()
    if expected != size:
        raise PairFileError(f"{name}: {info.filename} must have {expected:,} bytes by its header; got {size:,}.")
    return Header(shape, dtype, fortran_order, start.tell())


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, header: Header, file: IO[bytes] | None) -> np.ndarray:
    """Reads an array into memory, or memory-maps it if `file` is given and stores it uncompressed."""
    stored = info.compress_type == zipfile.ZIP_STORED and info.file_size > header.size and not header.fortran_order
    with archive.open(info) as member:
        if file is None or not stored:
            return np.lib.format.read_array(member, allow_pickle=False)
        while member.read(BLOCK_BYTES):  # zipfile compares the checksum at the end
            pass
    return np.asarray(np.memmap(file, header.dtype, "r", _start(file, info) + header.size, header.shape))


def _start(file: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Returns the offset of a member's data, after its local header, name and extra field."""
    file.seek(info.header_offset + LOCAL_HEADER.size - 4)
    name, extra = struct.unpack("<HH", file.read(4))
    return info.header_offset + LOCAL_HEADER.size + name + extra
