"""Seeded damage to files, for tests that read them again: flipped bits, overwritten bytes, cut ends, moved blocks."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def damaged(data: bytes, cases: int, seed: int = 0) -> Iterator[bytes]:
    """Yields `cases` damaged copies of `data`; same arguments, same copies. A copy may by chance equal `data`."""
    for case in range(cases):
        rng = random.Random(f"{seed} {case}")
        copy = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            _damage(copy, rng)
        yield bytes(copy)


def _damage(copy: bytearray, rng: random.Random) -> None:
    if not copy:
        return
    place = rng.randrange(len(copy))
    kind = rng.randrange(8)
    if kind <= 2:
        copy[place] ^= 1 << rng.randrange(8)
    elif kind == 3:
        copy[place] = rng.choice(INTERESTING)
    elif kind == 4:
        copy[place : place + 4] = struct.pack("<I", rng.choice((0, 1, 2**31, 2**32 - 1, rng.getrandbits(32))))
    elif kind == 5:
        del copy[place:]
    elif kind == 6:
        del copy[place : place + rng.randrange(1, 64)]
    else:
        start = rng.randrange(len(copy))
        copy[place:place] = copy[start : start + rng.randrange(1, 64)]


def damaged_members(data: bytes, cases: int, seed: int = 0) -> Iterator[bytes]:
    """As `damaged`, of the contents of a stored zip: the checksums are those of the damaged contents."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    for case in range(cases):
        rng = random.Random(f"{seed} {case} member")
        chosen = rng.randrange(len(members))
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for number, (info, content) in enumerate(members):
                if number == chosen:
                    copy = bytearray(content)
                    for _ in range(rng.choice((1, 1, 2, 4))):
                        _damage(copy, rng)
                    content = bytes(copy)
                archive.writestr(info.filename, content)
        yield out.getvalue()


def repair_checksums(data: bytes) -> bytes:
    """Returns a damaged zip in which the CRC-32 of each stored member that can be found is right."""
    copy = bytearray(data)
    place = copy.find(CENTRAL)
    while place >= 0 and place + 46 <= len(copy):
        size = struct.unpack_from("<I", copy, place + 20)[0]
        local = struct.unpack_from("<I", copy, place + 42)[0]
        if copy[local : local + 4] == LOCAL and local + 30 <= len(copy):
            name, extra = struct.unpack_from("<HH", copy, local + 26)
            start = local + 30 + name + extra
            if size == 0xFFFFFFFF and extra >= 20:  # the sizes stand in the zip64 field
                size = struct.unpack_from("<Q", copy, local + 30 + name + 4)[0]
            crc = struct.pack("<I", zlib.crc32(copy[start : start + min(size, len(copy))]))
            copy[place + 16 : place + 20] = crc
            copy[local + 14 : local + 18] = crc
        place = copy.find(CENTRAL, place + 4)
    return bytes(copy)
