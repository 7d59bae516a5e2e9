"""Damaged pair files, lists of pairs, IDX files and caches: read as they were, or refused by a typed error."""

import gzip
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fuzzing import damaged, damaged_members, repair_checksums

from siamese_tf.data.images.format import NATIVE_FORMAT
from siamese_tf.data.pairs.csv_list import parse_csv
from siamese_tf.data.pairs.csv_rows import TextLines
from siamese_tf.data.pairs.lfw_list import parse_lfw
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, load_pair_file, save_pair_file
from siamese_tf.data.pairs.pair_lists import load_pair_dataset
from siamese_tf.data.sources.idx import read_idx
from siamese_tf.data.sources.published import load_published
from siamese_tf.errors import PairFileError, SiameseError

NAMES = ("images", "labels", "img1", "img2", "similarity", "split")


def example() -> PairDataset:
    return PairDataset(
        images=np.arange(48, dtype=np.uint8).reshape(8, 2, 3, 1),
        labels=np.array([0, 0, 1, 1, 2, 2, 3, 3]),
        img1=np.array([0, 0, 3, 4, 5, 6], np.int32),
        img2=np.array([1, 2, 2, 5, 6, 7], np.int32),
        similarity=np.array([1, 0, 1, 1, 0, 1], np.uint8),
        split=np.array([TRAIN, TRAIN, VALIDATION, VALIDATION, TEST, TEST], np.uint8),
        manifest={"format": 1, "source": "drawn", "class_names": ["ä", "b"], "seed": 3},
    )


@pytest.fixture
def of_ours(tmp_path) -> bytes:
    save_pair_file(tmp_path / "ours.npz", example())
    return (tmp_path / "ours.npz").read_bytes()


@pytest.fixture
def of_an_earlier_release(of_ours) -> bytes:
    """Written as before there were checksums."""
    out = io.BytesIO()
    with np.load(io.BytesIO(of_ours)) as file:
        np.savez(out, **{name: file[name] for name in file if name != "checksums"})
    return out.getvalue()


@pytest.fixture
def of_another_maker() -> bytes:
    out = io.BytesIO()
    np.savez(out, **{name: getattr(example(), name) for name in NAMES}, weights=np.zeros(3))
    return out.getvalue()


def outcome(path: Path, content: bytes) -> tuple | None:
    """All that is read of a pair file; None where it is refused. Any other error fails the test."""
    path.write_bytes(content)
    try:
        pairs = load_pair_file(path)
    except PairFileError:
        return None
    arrays = [getattr(pairs, name) for name in NAMES]
    return pairs.manifest, [(array.shape, str(array.dtype), array.tobytes()) for array in arrays if array is not None]


def check_raw(path: Path, whole: bytes, cases: int, seed: int = 0) -> None:
    """Damage is refused or harmless."""
    right, refused = outcome(path, whole), 0
    assert right is not None
    for number, content in enumerate(damaged(whole, cases, seed)):
        found = outcome(path, content)
        refused += found is None
        assert found in (None, right), f"case {number} of seed {seed} was read with another result"
    assert refused > cases / 2


def check_repaired(path: Path, whole: bytes, cases: int, harmless: bool, seed: int = 0) -> None:
    """Damage with checksums that fit is refused or, in files that have a list of them, harmless."""
    right, refused = outcome(path, whole), 0
    half = cases // 2
    for contents in (damaged_members(whole, half, seed), map(repair_checksums, damaged(whole, cases - half, seed + 1))):
        for number, content in enumerate(contents):
            found = outcome(path, content)
            refused += found is None
            assert not harmless or found in (None, right), f"case {number} of seed {seed} was read with another result"
    assert refused > cases / 4


KINDS = ("of_ours", "of_an_earlier_release", "of_another_maker")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_pair_files(tmp_path, request, kind):
    check_raw(tmp_path / "pairs.npz", request.getfixturevalue(kind), 150)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_pair_files_with_checksums_that_fit(tmp_path, request, kind):
    check_repaired(tmp_path / "pairs.npz", request.getfixturevalue(kind), 150, harmless=kind == "of_ours")


@pytest.mark.slow
def test_twenty_thousand_damaged_pair_files(tmp_path, request):
    for kind, cases in zip(KINDS, (6_000, 2_000, 2_000), strict=True):
        whole = request.getfixturevalue(kind)
        check_raw(tmp_path / "pairs.npz", whole, cases, seed=1)
        check_repaired(tmp_path / "pairs.npz", whole, cases, harmless=kind == "of_ours", seed=1)


@pytest.mark.parametrize("name", ["split", "labels", "manifest", "images"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_in_the_directory_makes_no_array_vanish(tmp_path, request, kind, name):
    whole = request.getfixturevalue(kind)
    right = outcome(tmp_path / "pairs.npz", whole)
    assert right is not None
    places = [place for place in range(len(whole)) if whole.startswith(f"{name}.npy".encode(), place)]
    assert len(places) == (2 if kind != "of_another_maker" or name != "manifest" else 0)
    for place in places:
        for bit in range(8 * len(name)):
            content = bytearray(whole)
            content[place + bit // 8] ^= 1 << bit % 8
            assert outcome(tmp_path / "pairs.npz", bytes(content)) is None


CSV = 'img1,img2,similarity,split,note\na.png,"b, c.png",1,train,x\nä.png,a.png,0,test,"1\n2"\nb,c,1,validation,\n'
LFW = "2\t1\nAnn_Lee\t1\t12\nAnn_Lee\t1\tBob\t2\n\nBob\t1\t2\nBob\t3\tAnn_Lee\t4\n"
IDX = struct.pack(">4B3I", 0, 0, 8, 3, 4, 2, 3) + bytes(range(24))
READERS: dict[str, tuple[bytes, Callable[[Path], object]]] = {
    "csv": (CSV.encode(), lambda path: parse_csv(TextLines(path), str(path))),
    "lfw": (LFW.encode(), lambda path: parse_lfw(TextLines(path), str(path))),
    "idx": (IDX, read_idx),
    "idx.gz": (gzip.compress(IDX, mtime=0), read_idx),
}


def check_typed(path: Path, whole: bytes, read: Callable[[Path], object], cases: int) -> None:
    """Damage is read, as another text or image may be, or refused; no other error leaves the reader."""
    path.write_bytes(whole)
    read(path)
    refused = 0
    for content in damaged(whole, cases):
        path.write_bytes(content)
        try:
            read(path)
        except SiameseError:
            refused += 1
    assert refused > cases / 10


@pytest.mark.parametrize("kind", READERS)
def test_damaged_lists_and_idx_files(tmp_path, kind):
    check_typed(tmp_path / "file", *READERS[kind], cases=150)


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_five_thousand_damaged_lists_and_idx_files(tmp_path, kind):
    check_typed(tmp_path / "file", *READERS[kind], cases=5_000)


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".txt", ""])
@pytest.mark.parametrize("name", ["fifo", "folder", "a\0b", "a\ud800b", "/dev/zero"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, suffix, name):
    os.mkfifo(tmp_path / f"fifo{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    path = name if name.startswith("/") else str(tmp_path / f"{name}{suffix}")
    with pytest.raises(PairFileError):
        load_pair_dataset(path, NATIVE_FORMAT)
    with pytest.raises(SiameseError):
        read_idx(path)


def test_folders_with_a_null_character(tmp_path):
    (tmp_path / "pairs.txt").write_text(LFW)
    (tmp_path / "pairs.csv").write_text("img1,img2,similarity\na\0b.png,c.png,1\n")
    for path, images in (("pairs.txt", "a\0b"), ("pairs.csv", None)):
        with pytest.raises(PairFileError):
            load_pair_dataset(tmp_path / path, NATIVE_FORMAT, images)
    with pytest.raises(SiameseError):
        load_published("mnist", "a\0b")
