"""The damage that other tests do is seeded, and its repaired checksums are right."""

import io
import zipfile

from fuzzing import damaged, damaged_members, repair_checksums


def stored(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(content)
    return out.getvalue()


def test_the_same_seed_damages_alike_and_another_differently():
    data = bytes(range(256))
    assert list(damaged(data, 50, seed=1)) == list(damaged(data, 50, seed=1)) != list(damaged(data, 50, seed=2))
    assert sum(copy != data for copy in damaged(data, 200)) > 190


def test_damaged_members_have_checksums_that_fit():
    data = stored(a=b"first" * 20, b=b"second" * 20)
    changed = 0
    for copy in damaged_members(data, 50):
        with zipfile.ZipFile(io.BytesIO(copy)) as archive:
            assert archive.testzip() is None
            changed += [archive.read(name) for name in ("a", "b")] != [b"first" * 20, b"second" * 20]
    assert changed > 45


def test_a_flipped_bit_in_a_member_passes_the_checksum_after_the_repair():
    data = bytearray(stored(a=b"first" * 20, b=b"second" * 20))
    data[data.find(b"second")] ^= 1
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() == "b"
    with zipfile.ZipFile(io.BytesIO(repair_checksums(bytes(data)))) as archive:
        assert archive.testzip() is None
        assert archive.read("b").startswith(b"recond")
