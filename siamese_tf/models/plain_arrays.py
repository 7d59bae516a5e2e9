"""Float32 arrays of an HDF5 file, each checked to be stored plainly in that file before it is read.

HDF5 can take the numbers of an array from other files (external storage, links, virtual arrays), or make a few bytes
stand for gigabytes (filters, fill values, many names for one array).
"""

import io
from typing import Any

import h5py
import numpy as np

from siamese_tf.errors import ModelFileError
from siamese_tf.printable import short_reason

GROUP = "vars"  # as Keras calls it
MAX_ARRAYS = 2048  # half a second; the largest tower here has 602
MAX_GROUPS = 64
HINT = "Train the model again, or copy the file again"


def read_plain_arrays(content: bytes, alone: bool = True, max_arrays: int = MAX_ARRAYS) -> dict[str, np.ndarray]:
    """Reads the arrays of the group `vars`.

    Args:
        content: of the HDF5 file.
        alone: refuses other groups beside it; otherwise they must lie in the file, and are not read.
        max_arrays: how many arrays may be in the group.

    Returns:
        Float32 arrays by name, with no more bytes in all than `content`.

    Raises:
        ModelFileError: damaged, or with anything but plain arrays.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            _check_groups(file, alone)
            group = file[GROUP]
            if len(group) > max_arrays:
                raise ModelFileError(f"the weights have {len(group):,} names; at most {max_arrays:,} are read. {HINT}")
            arrays = {name: _plain_array(group, name) for name in group}
            if sum(array.nbytes for array in arrays.values()) > len(content):
                raise ModelFileError(f"the file of weights announces more numbers than it holds. {HINT}")
            return {name: array[()] for name, array in arrays.items()}
    except ModelFileError:
        raise
    except Exception as error:  # h5py raises a dozen kinds on damaged bytes
        raise ModelFileError(f"the file of weights is damaged: {short_reason(error)}. {HINT}") from error


def plain_store(store: Any) -> Any:
    """Returns the weights that Keras passes to a model after checking that they are stored plainly in the file.

    Raises:
        ModelFileError: an array does not. Keras 2.15 would read it from wherever it lies; Keras 3 passes no group of
            h5py, but one that it checks.
    """
    if isinstance(store, h5py.Group):
        for name in store:
            _plain_array(store, name)
    return store


def _check_groups(file: h5py.File, alone: bool) -> None:
    if len(file) > (1 if alone else MAX_GROUPS) or GROUP not in list(file):
        raise ModelFileError(f"the file of weights must hold the group {GROUP!r} alone. {HINT}")
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
    """Opens the object of a name after checking that the name does not lead outside the file."""
    link = group.id.links.get_info(name.encode("utf-8", "surrogateescape"))
    item = group[name] if link.type == h5py.h5l.TYPE_HARD else None
    if not isinstance(item, kind):
        raise ModelFileError(f"{name!r:.100} in the weights is not a plain {kind.__name__.lower()}. {HINT}")
    return item
