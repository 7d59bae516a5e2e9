"""Manifest of a pair file: JSON text in an array, which records where the pairs came from."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from siamese_tf.errors import PairFileError
from siamese_tf.printable import short_reason

MAX_BYTES = 2**25  # 8,388,608 characters
HINT = "Leave it out, or make the file again."


def encode_manifest(manifest: Mapping[str, Any], name: str) -> np.ndarray:
    """Returns the array that holds a manifest in a file; the order of its keys does not count.

    Args:
        manifest: plain JSON values.
        name: what to call the file in messages.

    Raises:
        PairFileError: the manifest has text that is not Unicode, or is too long to be read again.
        ValueError: it has values that JSON has not, such as NaN.
    """
    _check_text(manifest, name)
    array = np.array(json.dumps(manifest, sort_keys=True, allow_nan=False))
    _check_array(array, f"{name}: the manifest", HINT)
    return array


def decode_manifest(array: np.ndarray, name: str) -> dict[str, Any]:
    """Reads the manifest of a file that anyone may have made.

    Args:
        array: as `encode_manifest` returns it.
        name: what to call the file in messages.

    Raises:
        PairFileError: it is not a JSON object, is too long, or has text that is not Unicode.
    """
    manifest = decode_object(array, f"{name}: the manifest", HINT)
    _check_text(manifest, name)
    return manifest


def decode_object(array: np.ndarray, what: str, hint: str) -> dict[str, Any]:
    """Reads the JSON object whose text is in an array, () and of dtype `<U`.

    Args:
        array: of anyone's making.
        what: what to call it at the start of messages.
        hint: the end of messages.

    Raises:
        PairFileError: the array has another shape, dtype or content.
    """
    _check_array(array, what, hint)
    if (
        array[np.newaxis].view(f"{array.dtype.byteorder}u4") > sys.maxunicode
    ).any():  # for which NumPy raises a SystemError
        raise PairFileError(f"{what} is not JSON (it has characters beyond U+{sys.maxunicode:X}). {hint}")
    try:
        found = json.loads(str(array))
    except (ValueError, RecursionError) as error:
        raise PairFileError(f"{what} is not JSON ({short_reason(error)}). {hint}") from error
    if not isinstance(found, dict):
        raise PairFileError(f"{what} is a JSON {type(found).__name__}; expected an object. {hint}")
    return found


def _check_array(array: np.ndarray, what: str, hint: str) -> None:
    if array.dtype.kind != "U" or array.ndim or array.nbytes > MAX_BYTES:
        raise PairFileError(
            f"{what} has shape {array.shape}, dtype {array.dtype} and {array.nbytes:,} bytes; expected one text of at"
            f" most {MAX_BYTES:,} bytes. {hint}"
        )


def _check_text(manifest: Mapping[str, Any], name: str) -> None:
    """Refuses characters that no file and no terminal takes: halves of a surrogate pair."""
    try:
        json.dumps(manifest, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        reason = getattr(error, "reason", error)
        raise PairFileError(f"{name}: the manifest has text that is not Unicode ({reason}). {HINT}") from error
