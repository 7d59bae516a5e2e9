"""Array `checksums` of a pair file: the name and the CRC-32 of every other member, as JSON text.

A zip stores its checksums beside the data they protect. Without a list of the members, one that is lost or renamed, or
written again with a matching checksum, goes unnoticed.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from siamese_tf.data.pairs.manifest import decode_object
from siamese_tf.data.pairs.npz import member_crc32
from siamese_tf.errors import PairFileError

CHECKSUMS = "checksums"
OURS = "format"  # is in the manifest of every file that `siamese-tf pairs generate` has made
HINT = "Copy or make the file again; a pair file with changes of your own must have neither checksums nor manifest."


def encode_checksums(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the array for the checksums of the other arrays of a file."""
    crc32 = {f"{key}.npy": member_crc32(array) for key, array in arrays.items()}
    return np.array(json.dumps(crc32, sort_keys=True))


def check_members(
    checksums: np.ndarray | None,
    members: Mapping[str, int],
    known: tuple[str, ...],
    manifest: Mapping[str, Any],
    name: str,
) -> None:
    """Compares the members of a pair file with its checksums.

    Every member that is listed must be there unchanged, and every known one that is there must be listed; arrays of
    other names may have been added. Files of earlier releases and of others have no checksums. Those that the manifest
    says are of siamese_tf must hold `split`, and an array of an unknown name, which may be another one misnamed, only
    beside `labels`.

    Args:
        checksums: as `encode_checksums` returns it, or None where there are none.
        members: file name -> CRC-32, of all members of the file, as `zipfile` compares it with their contents.
        known: the names of the arrays that a pair file may have.
        manifest: of the file.
        name: what to call the file in messages.

    Raises:
        PairFileError: a member is missing, misnamed or changed.
    """
    files = {f"{key}.npy" for key in known if key != CHECKSUMS}
    if checksums is not None:
        listed = decode_object(checksums, f"{name}: the array {CHECKSUMS}", HINT)
        _compare(listed, {key: crc32 for key, crc32 in members.items() if key in listed or key in files}, name)
    elif OURS in manifest:
        unknown = sorted(members.keys() - files - {f"{CHECKSUMS}.npy"})
        if unknown and "labels.npy" not in members:
            raise PairFileError(f"{name} holds {unknown[0]!r:.100} and no array 'labels'. {HINT}")
        if "split.npy" not in members:
            raise PairFileError(f"{name} has no array 'split', which every pair file of siamese_tf has. {HINT}")


def _compare(listed: dict[str, Any], found: Mapping[str, int], name: str) -> None:
    for key in sorted(listed.keys() | found.keys()):
        if listed.get(key) != found.get(key):
            what = "is missing" if key not in found else "was added" if key not in listed else "was changed"
            raise PairFileError(f"{name}: {key!r:.100} {what} since siamese_tf wrote the file. {HINT}")
