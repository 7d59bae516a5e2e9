"""Float32 arrays of an HDF5 file, read only after checking that each is stored contiguously in that file.

In HDF5, the data of an array can come from other files (external storage, links, virtual arrays), and a few bytes can
expand to gigabytes (filters, fill values, many names for one array).
"""

import io
from typing import Any

import h5py
import numpy as np

from siamese_tf.errors import ModelFileError
from siamese_tf.printable import short_reason

GROUP = "vars"  # the name in files of Keras
MAX_ARRAYS = 2048  # takes half a second to read; the largest built-in tower has 602
MAX_GROUPS = 64
HINT = "Train the model again, or copy the file again"


def read_plain_arrays(content: bytes, alone: bool = True, max_arrays: int = MAX_ARRAYS) -> dict[str, np.ndarray]:
    """Reads the arrays of the group `vars`.

    Args:
        content: bytes of the HDF5 file.
        alone: rejects other groups; otherwise they must be stored in the file, and are not read.
        max_arrays: maximum number of arrays in the group.

    Returns:
        Float32 arrays by name, with no more bytes in total than `content`.

    Raises:
        ModelFileError: if the content is damaged, or the group contains anything but contiguous float32 arrays.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            _check_groups(file, alone)
            group = file[GROUP]
            if len(group) > max_arrays:
                raise ModelFileError(f"the weights must be at most {max_arrays:,} arrays; got {len(group):,}. {HINT}")
            arrays = {name: _plain_array(group, name) for name in group}
            if sum(array.nbytes for array in arrays.values()) > len(content):
                raise ModelFileError(f"the weights file declares more values than it contains. {HINT}")
            return {name: array[()] for name, array in arrays.items()}
    except ModelFileError:
        raise
    except Exception as error:  # h5py raises many exception types on damaged data
        raise ModelFileError(f"the weights file is damaged: {short_reason(error)}. {HINT}") from error


def plain_store(store: Any) -> Any:
    """Checks that the weights which Keras passes to a model are stored contiguously in the file, and returns them.

    Keras 2.15 passes an `h5py.Group`, whose arrays could be stored in another file. Keras 3 passes its own type of
    store after checking it.

    Raises:
        ModelFileError: if an array is not stored as contiguous float32 in the file.
    """
    if isinstance(store, h5py.Group):
        for name in store:
            _plain_array(store, name)
    return store


def _check_groups(file: h5py.File, alone: bool) -> None:
    if len(file) > (1 if alone else MAX_GROUPS) or GROUP not in list(file):
        raise ModelFileError(f"the weights file must contain the group {GROUP!r} only. {HINT}")
    for name in file:
        _inside(file, name, h5py.Group)


def _plain_array(group: h5py.Group, name: str) -> h5py.Dataset:
    array: h5py.Dataset = _inside(group, name, h5py.Dataset)
    creation = array.id.get_create_plist()
    plain = (
        creation.get_layout() == h5py.h5d.CONTIGUOUS
        and creation.get_external_count() == 0
        and array.id.get_type().equal(h5py.h5t.IEEE_F32LE)
    )
    if not plain or array.shape is None or array.nbytes > array.id.get_storage_size():
        raise ModelFileError(f"weight {name!r:.100} is not a plain float32 array. {HINT}")
    return array


def _inside(group: h5py.Group, name: str, kind: type) -> Any:
    """Opens the object with a name after checking that it is not a link to another object or file."""
    link = group.id.links.get_info(name.encode("utf-8", "surrogateescape"))
    item = group[name] if link.type == h5py.h5l.TYPE_HARD else None
    if not isinstance(item, kind):
        raise ModelFileError(f"{name!r:.100} in the weights is not a plain {kind.__name__.lower()}. {HINT}")
    return item
