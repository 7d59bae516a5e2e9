"""Manifest of a pair file: JSON text in an array that records the origin of the pairs."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from siamese_tf.errors import PairFileError
from siamese_tf.printable import short_reason

MAX_BYTES = 2**25  # 8,388,608 characters
HINT = "Omit it, or generate the file again."


def encode_manifest(manifest: Mapping[str, Any], name: str) -> np.ndarray:
    """Returns the array of a manifest for a pair file; the order of the keys does not matter.

    Args:
        manifest: plain JSON values.
        name: name of the file in messages.

    Raises:
        PairFileError: if the manifest has text that is not Unicode, or is too long to load.
        ValueError: if it has values that JSON does not support, such as NaN.
    """
    _check_text(manifest, name)
    array = np.array(json.dumps(manifest, sort_keys=True, allow_nan=False))
    _check_array(array, f"{name}: the manifest", HINT)
    return array


def decode_manifest(array: np.ndarray, name: str) -> dict[str, Any]:
    """Decodes the manifest of a file from an untrusted source.

    Args:
        array: array from `encode_manifest`.
        name: name of the file in messages.

    Raises:
        PairFileError: if it is not a JSON object, is too long, or has text that is not Unicode.
    """
    manifest = decode_object(array, f"{name}: the manifest", HINT)
    _check_text(manifest, name)
    return manifest


def decode_object(array: np.ndarray, what: str, hint: str) -> dict[str, Any]:
    """Decodes a JSON object from its text in an array.

    Args:
        array: text, shape () and dtype `<U`, from an untrusted source.
        what: name of the array at the start of messages.
        hint: hint at the end of messages.

    Raises:
        PairFileError: if the array has the wrong shape, dtype or content.
    """
    _check_array(array, what, hint)
    code_points = array[np.newaxis].view(f"{array.dtype.byteorder}u4")
    if (code_points > sys.maxunicode).any():  # NumPy would raise a SystemError
        raise PairFileError(f"{what} must be JSON; got characters beyond U+{sys.maxunicode:X}. {hint}")
    try:
        found = json.loads(str(array))
    except (ValueError, RecursionError) as error:
        raise PairFileError(f"{what} must be JSON; got {short_reason(error)}. {hint}") from error
    if not isinstance(found, dict):
        raise PairFileError(f"{what} must be a JSON object; got {type(found).__name__}. {hint}")
    return found


def _check_array(array: np.ndarray, what: str, hint: str) -> None:
    if array.dtype.kind != "U" or array.ndim or array.nbytes > MAX_BYTES:
        raise PairFileError(
            f"{what} must be one text of at most {MAX_BYTES:,} bytes; got shape {array.shape}, dtype {array.dtype} and"
            f" {array.nbytes:,} bytes. {hint}"
        )


def _check_text(manifest: Mapping[str, Any], name: str) -> None:
    """Rejects halves of surrogate pairs, which no file or terminal accepts."""
    try:
        json.dumps(manifest, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        reason = getattr(error, "reason", error)
        raise PairFileError(f"{name}: the text in the manifest must be Unicode; got {reason}. {HINT}") from error
