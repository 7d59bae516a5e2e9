"""Reader of `.pt` and `.pth` files, a `state_dict` written by `torch.save` in either layout, without PyTorch.

Since version 1.6, PyTorch writes a zip archive with the pickle and one member for each storage; before, it wrote
several pickles followed by all storages.
"""

import io
import math
import os
import zipfile
from collections.abc import Mapping
from typing import IO

import numpy as np

from siamese_tf.errors import ModelFileError
from siamese_tf.models.pretrained.tensor_pickle import BFLOAT16, Storage, Tensor, read_pickle, read_tensors
from siamese_tf.zip_layout import ZipLayoutError, check_layout

ZIP_START = b"PK\x03\x04"
MAGIC = 0x1950A86A20F9469CFC6C  # value of the first pickle in the layout before version 1.6
PROTOCOL = 1001  # value of the second
MAX_PICKLE_BYTES = 2**24
MAX_MEMBERS = 8192
HINT = "Copy or convert the file again"


def read_torch(file: IO[bytes], max_bytes: int) -> dict[str, np.ndarray]:
    """Reads the arrays by name; no code in the file is executed.

    Args:
        file: seekable file, open for binary reading.
        max_bytes: maximum size of all arrays together, in bytes.

    Returns:
        Arrays by name with the shapes and dtypes in PyTorch; bfloat16 becomes float32.

    Raises:
        ModelFileError: if the file is damaged, too large, or contains anything but tensors of numbers.
    """
    try:
        start = file.read(len(ZIP_START))
        file.seek(0)
        return (_read_zip if start == ZIP_START else _read_legacy)(file, max_bytes)
    except ZipLayoutError as error:
        raise ModelFileError(f"the archive is damaged: {error}. {HINT}") from error
    except (ModelFileError, OSError):
        raise
    except Exception as error:  # a damaged pickle raises many exception types
        raise ModelFileError(
            f"it is damaged, or was not written by torch.save ({type(error).__name__}). {HINT}"
        ) from error


def _read_zip(file: IO[bytes], max_bytes: int) -> dict[str, np.ndarray]:
    members = {member.filename.partition("/")[2]: member for member in check_layout(file, MAX_MEMBERS)}
    with zipfile.ZipFile(file) as archive:

        def read(name: str, most: int) -> bytes:
            if members[name].file_size > most:
                raise ModelFileError(f"its member {name!r:.60} must have at most {most:,} bytes. {HINT}")
            return archive.read(members[name])

        if "byteorder" in members and read("byteorder", 16) != b"little":
            raise ModelFileError("its numbers must be little-endian. Save it on another computer")
        tensors = read_tensors(io.BytesIO(read("data.pkl", MAX_PICKLE_BYTES)))
        _check_size(tensors, max_bytes)
        storages = {one.key: _values(one, read(f"data/{one.key}", _bytes_of(one))) for one in _storages(tensors)}
    return _arrays(tensors, storages)


def _read_legacy(file: IO[bytes], max_bytes: int) -> dict[str, np.ndarray]:
    start = io.BytesIO(file.read(MAX_PICKLE_BYTES))
    if (read_pickle(start), read_pickle(start)) != (MAGIC, PROTOCOL) or not read_pickle(start)["little_endian"]:
        raise ModelFileError(f"it was not written by torch.save. {HINT}")
    tensors = read_tensors(start)
    _check_size(tensors, max_bytes)
    needed, storages = {one.key: one for one in _storages(tensors)}, {}
    keys = read_pickle(start)
    file.seek(start.tell())
    for key in keys:
        if key not in needed or file.read(8) != needed[key].count.to_bytes(8, "little"):
            raise ModelFileError(f"its storages must be those of its tensors. {HINT}")
        storages[key] = _values(needed[key], file.read(_bytes_of(needed[key])))
    if file.tell() != file.seek(0, os.SEEK_END):
        raise ModelFileError(f"bytes at its end belong to no tensor. {HINT}")
    return _arrays(tensors, storages)


def _check_size(tensors: Mapping[str, Tensor], max_bytes: int) -> None:
    """Rejects tensors that would be too large as float32, since few stored values can expand to many."""
    values = sum(4 * math.prod(tensor.shape) for tensor in tensors.values())
    needed = max(values, sum(map(_bytes_of, _storages(tensors))))
    if needed > max_bytes:
        raise ModelFileError(f"its tensors must need at most {max_bytes:,} bytes; got {needed:,}. {HINT}")


def _storages(tensors: Mapping[str, Tensor]) -> set[Storage]:
    return {tensor.storage for tensor in tensors.values()}


def _bytes_of(storage: Storage) -> int:
    return storage.count * (2 if storage.dtype == BFLOAT16 else np.dtype(storage.dtype).itemsize)


def _values(storage: Storage, content: bytes) -> np.ndarray:
    """Returns the (count,) values of a storage."""
    if len(content) != _bytes_of(storage):
        raise ModelFileError(f"a storage must have {storage.count:,} values; got {len(content):,} bytes. {HINT}")
    if storage.dtype == BFLOAT16:
        return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(content, storage.dtype)


def _arrays(tensors: Mapping[str, Tensor], storages: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    arrays = {}
    for name, tensor in tensors.items():
        values = storages[tensor.storage.key][tensor.offset :]
        strides = tuple(stride * values.itemsize for stride in tensor.strides)
        arrays[name] = np.lib.stride_tricks.as_strided(values, tensor.shape, strides, writeable=False)
    return arrays
