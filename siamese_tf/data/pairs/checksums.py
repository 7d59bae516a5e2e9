"""Array `checksums` of a pair file: JSON text with the name and the CRC-32 of every other member.

A zip file stores each checksum beside the data. Without a list of all members, it goes unnoticed if one is lost,
renamed, or replaced together with its checksum.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from siamese_tf.data.pairs.manifest import decode_object
from siamese_tf.data.pairs.npz import member_crc32
from siamese_tf.errors import PairFileError

CHECKSUMS = "checksums"
OURS = "format"  # manifest key of every file made by `siamese-tf pairs generate`
HINT = "Copy or generate the file again; remove checksums and manifest from a file that you change yourself."


def encode_checksums(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the array `checksums` for the other arrays of a file."""
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

    Every listed member must be present and unchanged, and every known member must be listed; arrays with other names
    may have been added. Files of earlier releases and of other programs have no checksums. If such a file has a
    manifest of siamese_tf, it must contain `split`, and may contain arrays with unknown names only if it has `labels`,
    since an unknown array could be a renamed `labels`.

    Args:
        checksums: array from `encode_checksums`; None if the file has none.
        members: CRC-32 of each member by file name; `zipfile` has compared it with the content.
        known: names of the arrays that a pair file may have.
        manifest: manifest of the file.
        name: name of the file in messages.

    Raises:
        PairFileError: if a member is missing, renamed, added or changed.
    """
    files = {f"{key}.npy" for key in known if key != CHECKSUMS}
    if checksums is not None:
        listed = decode_object(checksums, f"{name}: the array {CHECKSUMS}", HINT)
        _compare(listed, {key: crc32 for key, crc32 in members.items() if key in listed or key in files}, name)
    elif OURS in manifest:
        unknown = sorted(members.keys() - files - {f"{CHECKSUMS}.npy"})
        if unknown and "labels.npy" not in members:
            raise PairFileError(f"{name} must have the array 'labels'; got {unknown[0]!r:.100} instead. {HINT}")
        if "split.npy" not in members:
            raise PairFileError(f"{name} must have the array 'split', like every file of siamese_tf; got none. {HINT}")


def _compare(listed: dict[str, Any], found: Mapping[str, int], name: str) -> None:
    for key in sorted(listed.keys() | found.keys()):
        if listed.get(key) != found.get(key):
            change = "is missing" if key not in found else "was added" if key not in listed else "was changed"
            raise PairFileError(f"{name} must be unchanged since siamese_tf wrote it; {key!r:.100} {change}. {HINT}")
