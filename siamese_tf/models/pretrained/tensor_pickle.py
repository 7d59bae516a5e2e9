"""Pickled part of a PyTorch file: a dictionary of tensors, each a view of a storage, and nothing else."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from siamese_tf.errors import ModelFileError
from siamese_tf.models.pretrained.pickle_machine import HINT, PickleMachine

MAX_AXES = 8
BFLOAT16 = "bfloat16"  # the upper half of a float32; no dtype of NumPy
DTYPES = {  # storage -> dtype of its values
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
}


@dataclass(frozen=True)
class Storage:
    """Place of the numbers of one or more tensors.

    Attributes:
        dtype: dtype of NumPy, or BFLOAT16.
        key: name of the storage within the file.
        count: number of values.
    """

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A tensor as a view of a storage.

    Attributes:
        storage: storage of its values.
        offset: position of its first value.
        shape: length of each axis.
        strides: step from one value to the next along each axis, in values.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pickle(file: IO[bytes]) -> Any:
    """Returns the value of the pickle at the position of the file, and leaves the file after it.

    Args:
        file: open binary file; the caller must limit its size.

    Returns:
        A value made of None, booleans, integers, strings, tuples, lists, dictionaries, `Tensor` and `Storage`.

    Raises:
        ModelFileError: if an opcode, a name or an argument is not allowed.
        Exception: any other, if the pickle is damaged.
    """
    return PickleMachine(_named, _storage).load(file)


def read_tensors(file: IO[bytes]) -> Mapping[str, Tensor]:
    """Returns the tensors by name of the pickled `state_dict` at the position of the file; see `read_pickle`.

    Raises:
        ModelFileError: also if the value is anything else than a `state_dict`.
    """
    value = read_pickle(file)
    if not isinstance(value, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items()
    ):
        raise ModelFileError(f"it must contain only a state_dict, one tensor per name. {HINT}")
    return value


def _storage(identity: Any) -> Storage:
    """Returns the storage with a persistent ID, a tuple."""
    kind, dtype, key, _, count, *_ = identity
    if kind != "storage" or dtype not in DTYPES.values() or not isinstance(key, str) or not _are_counts(count):
        raise ModelFileError(f"its storages must have a key and a number of values. {HINT}")
    return Storage(dtype, key, count)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    """Returns the tensor with these arguments of `torch._utils._rebuild_tensor_v2`, after checking its bounds."""
    valid = isinstance(storage, Storage) and isinstance(shape, tuple) and isinstance(strides, tuple)
    if not valid or len(shape) != len(strides) or len(shape) > MAX_AXES or not _are_counts(offset, *shape, *strides):
        raise ModelFileError(f"a tensor must have a shape and strides of at most {MAX_AXES} axes. {HINT}")
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= storage.count:
        raise ModelFileError(
            f"a tensor must lie within its storage of {storage.count:,} values; got the shape {shape} at {offset:,}"
        )
    return Tensor(storage, offset, shape, strides)


def _are_counts(*values: Any) -> bool:
    return all(type(value) is int and 0 <= value < 2**40 for value in values)


ALLOWED: Mapping[tuple[str, str], Callable[..., Any] | str] = {
    ("collections", "OrderedDict"): lambda: {},  # without arguments, which it would copy
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    **{("torch", name): dtype for name, dtype in DTYPES.items()},
}


def _named(module: Any, name: Any) -> Callable[..., Any] | str:
    if (module, name) not in ALLOWED:
        raise ModelFileError(f"it contains more than tensors of numbers ({module}.{name!s:.60}). {HINT}")
    return ALLOWED[module, name]
