"""Seeded damage to files of models and of weights: each copy is what it was, or is refused with an error of ours."""

import contextlib
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fuzzing import damaged, damaged_members, repair_checksums
from tensorflow import keras

from siamese_tf.errors import ModelFileError
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.pretrained.safetensors import read_safetensors
from siamese_tf.models.pretrained.state_dict import read_state_dict
from siamese_tf.models.siamese_model import SiameseModel

CASES = pytest.mark.parametrize(
    "cases", [pytest.param(75, id="some"), pytest.param(10_000, id="all", marks=pytest.mark.slow)]
)


def own_tower() -> keras.Model:
    """Given to `load_model`, it need not be built for each of the files."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(2), keras.layers.BatchNormalization()]
    return keras.Sequential([keras.Input((2, 2, 1)), *layers])


def contents(model: SiameseModel) -> tuple:
    return str(model.get_config()), *(weight.tobytes() for weight in model.get_weights())


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[SiameseModel, bytes]:
    path = tmp_path_factory.mktemp("fuzz") / "a.keras"
    model = SiameseModel((2, 2, 1), own_tower(), record={"seed": 1})
    save_model(model, path)
    return model, path.read_bytes()


def outcomes(copies: Iterator[bytes], path: Path) -> Iterator[tuple | None]:
    """What each copy holds, or None for those that are refused."""
    tower = own_tower()
    for copy in copies:
        path.write_bytes(copy)
        try:
            yield contents(load_model(path, tower=tower))
        except ModelFileError:
            yield None


@CASES
def test_a_damaged_model_file_is_as_it_was_or_is_refused(saved, tmp_path, cases):
    model, content = saved
    found = list(outcomes(damaged(content, cases), tmp_path / "a.keras"))
    assert set(found) <= {None, contents(model)}
    assert found.count(None) > 0.9 * cases


@CASES
def test_one_whose_checksums_were_repaired_raises_nothing_else(saved, tmp_path, cases):
    _, content = saved
    repaired = (repair_checksums(copy) for copy in damaged(content, cases, seed=1))
    inside = damaged_members(content, cases, seed=2)
    copies = itertools.chain.from_iterable(zip(repaired, inside, strict=True))
    found = list(outcomes(itertools.islice(copies, cases), tmp_path / "a.keras"))
    assert 0 < found.count(None) < cases


ARRAYS = {"conv.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "bn.running_var": np.ones(2, np.float32)}


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, **ARRAYS)
    return out.getvalue()


def safetensors() -> bytes:
    header = (
        b'{"conv.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},'
        b'"bn.running_var":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}'
    )
    data = b"".join(array.tobytes() for array in ARRAYS.values())
    return len(header).to_bytes(8, "little") + header + data


def arrays(read: dict[str, np.ndarray]) -> dict[str, tuple]:
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in read.items()}


@CASES
def test_a_damaged_npz_is_as_it_was_or_is_refused(tmp_path, cases):
    path = tmp_path / "a.npz"
    for copy in damaged(npz(), cases):
        path.write_bytes(copy)
        with contextlib.suppress(ModelFileError):
            assert arrays(read_state_dict(path)) == arrays(ARRAYS)


@CASES
def test_a_damaged_npz_or_safetensors_raises_nothing_else(tmp_path, cases):
    """Neither checksums that were repaired, nor a format without any."""
    path = tmp_path / "a.npz"
    for copy in damaged_members(npz(), cases):
        path.write_bytes(repair_checksums(copy))
        with contextlib.suppress(ModelFileError):
            assert all(array.dtype.kind in "fiu" for array in read_state_dict(path).values())
    for copy in damaged(safetensors(), cases):
        with contextlib.suppress(ModelFileError):
            assert all(array.dtype.kind in "fi" for array in read_safetensors(io.BytesIO(copy)).values())


def test_the_files_are_read_when_nothing_is_damaged(saved, tmp_path):
    model, content = saved
    assert list(outcomes(iter([content]), tmp_path / "a.keras")) == [contents(model)]
    (tmp_path / "a.npz").write_bytes(npz())
    assert (
        arrays(read_state_dict(tmp_path / "a.npz"))
        == arrays(read_safetensors(io.BytesIO(safetensors())))
        == arrays(ARRAYS)
    )
