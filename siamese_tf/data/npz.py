"""Arrays in a zip that `np.load` reads: written with the same bytes every time, read with nothing taken on trust."""

import math
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from siamese_tf.errors import PairFileError
from siamese_tf.files import atomic_write

MOST_BYTES = 2**34
MOST_EXPANSION = 200  # a zip bomb expands a thousandfold, images tenfold
SLACK_BYTES = 2**26
BLOCK_BYTES = 2**20
HEADER_BYTES = 128  # of an array of four dimensions or fewer
LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # of a member, before its name


def check_size(arrays: Mapping[str, np.ndarray], name: str) -> None:
    """Refuses arrays of images that are too large together for `read_npz`, before they are written.

    Args:
        arrays: what `write_npz` would be given.
        name: what to call the file in messages.

    Raises:
        PairFileError: how large they are, how large they may be, and the cure.
    """
    size = sum(array.nbytes + HEADER_BYTES for array in arrays.values())
    if size > MOST_BYTES:
        raise PairFileError(
            f"{name} would hold {size:,} bytes; at most {MOST_BYTES:,} are read again. Take fewer images, or smaller"
            " ones: --image-size, --color grey"
        )


def write_npz(path: str | Path, arrays: Mapping[str, np.ndarray], *, private: bool = False) -> None:
    """Writes arrays under their names, whole or not at all; equal arrays give equal bytes.

    They are stored without compression: that is the fastest to write and to read, and no version of a compression
    library can change the bytes. Of a `private` file, only the owner may read it.
    """
    with atomic_write(path, private=private) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            member.external_attr = 0o644 << 16
            little_endian = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
            with archive.open(member, "w", force_zip64=True) as out:
                np.lib.format.write_array(out, little_endian, version=(1, 0), allow_pickle=False)


def read_npz(file: IO[bytes], name: str, known: tuple[str, ...], mapped: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Reads the known arrays of an open file; sizes and types are checked before memory is taken.

    Members of any other name are passed over: they are neither decompressed nor parsed, and their size does not count.

    Args:
        file: open for reading, at its start.
        name: what to call it in messages.
        known: the names of the arrays to read; none needs to be there.
        mapped: those of them that stay in the file, memory-mapped and read-only, where they are not compressed.

    Raises:
        PairFileError: not a zip, damaged, or a known array stands there twice, holds objects or is larger than it says.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            wanted = {f"{array}.npy" for array in known}
            members = [info for info in archive.infolist() if info.filename in wanted]
            _check_members(members, name, on_disk=file.seek(0, 2))
            arrays = {}
            for info in members:
                key = info.filename.removesuffix(".npy")
                arrays[key] = _read_array(archive, info, name, file if key in mapped else None)
            return arrays
    except PairFileError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy's header parser raise a dozen kinds on damaged bytes
        raise PairFileError(
            f"{name} cannot be read as a pair file (.npz): {error}. If it is damaged, make or copy it again."
        ) from error


def _check_members(members: list[zipfile.ZipInfo], name: str, on_disk: int) -> None:
    if len({member.filename for member in members}) < len(members):
        raise PairFileError(f"{name} holds two arrays of one name. Make it again.")
    size = sum(member.file_size for member in members)
    most = min(MOST_BYTES, MOST_EXPANSION * on_disk + SLACK_BYTES)
    if size > most:
        raise PairFileError(f"{name} would expand from {on_disk:,} to {size:,} bytes; at most {most:,} are read.")


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, file: IO[bytes] | None) -> np.ndarray:
    """An array of the archive, from memory, or from the file it is in, if that is given and holds it as it is."""
    with archive.open(info) as member:
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        version = np.lib.format.read_magic(member)
        if version not in readers:
            raise PairFileError(f"{name}: {info.filename} has format version {version}; versions 1 and 2 are read.")
        shape, fortran_order, dtype = readers[version](member)
        if dtype.kind not in "biuU":
            raise PairFileError(f"{name}: {info.filename} has dtype {dtype}; expected whole numbers or text.")
        header = member.tell()
        announced, held = math.prod(shape) * dtype.itemsize, info.file_size - header
        if announced != held:
            raise PairFileError(f"{name}: {info.filename} announces {announced:,} bytes and holds {held:,}.")
        if file is not None and held and info.compress_type == zipfile.ZIP_STORED and not fortran_order:
            while member.read(BLOCK_BYTES):  # to the end, where zipfile compares the checksum
                pass
            start = _start(file, info) + header
            return np.asarray(np.memmap(file, dtype, "r", start, shape))
    with archive.open(info) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _start(file: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Where the bytes of a member begin: behind its own header, whose two last fields tell how long it is."""
    file.seek(info.header_offset + LOCAL_HEADER.size - 4)
    name, extra = struct.unpack("<HH", file.read(4))
    return info.header_offset + LOCAL_HEADER.size + name + extra
