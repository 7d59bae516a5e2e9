import io
import json
import os
import random
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from fuzzing import damaged, repair_checksums

from siamese_tf.errors import ConfigError
from siamese_tf.training.checkpoint import (
    CHECKPOINT,
    RunState,
    check_resumable,
    contains_run,
    load_checkpoint,
    save_checkpoint,
)

RUN = {
    "dataset": "digits",
    "epochs": 3,
    "head": None,
    "learning_rate": 0.006,
    "train_sha256": "ab",
    "test_sha256": None,
}


def row(epoch):
    numbers = {"loss": 1 / (epoch + 2), "validation_accuracy": 0.1 * epoch, "learning_rate": 1e-3, "seconds": 0.125}
    return {"epoch": epoch, **numbers}


def state_after(epochs):
    rng = np.random.default_rng(epochs)
    return RunState(
        run=dict(RUN),
        history=[row(epoch + 1) for epoch in range(epochs)],
        best_epoch=epochs,
        variables=[rng.normal(size=(3, 4)).astype(np.float32), np.array([1, 2], np.uint32)],
        optimizer=[np.array(epochs, np.int64), *(rng.normal(size=2).astype(np.float32) for _ in range(11))],
        best=[rng.normal(size=(3, 4)).astype(np.float32)],
    )


def assert_equal(one, other):
    assert (one.run, one.history, one.best_epoch) == (other.run, other.history, other.best_epoch)
    for group in ("variables", "optimizer", "best"):
        for a, b in zip(getattr(one, group), getattr(other, group), strict=True):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def test_a_state_comes_back_bit_for_bit_and_in_order(tmp_path):
    save_checkpoint(state_after(2), tmp_path / "new folder")
    loaded = load_checkpoint(tmp_path / "new folder", RUN)
    assert loaded is not None
    assert_equal(loaded, state_after(2))
    assert loaded.epochs_done == 2
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == [CHECKPOINT]


def test_the_next_state_replaces_it(tmp_path):
    save_checkpoint(state_after(1), tmp_path)
    save_checkpoint(state_after(2), tmp_path)
    loaded = load_checkpoint(tmp_path, RUN)
    assert loaded is not None
    assert_equal(loaded, state_after(2))


def test_no_file_is_no_state(tmp_path):
    assert load_checkpoint(tmp_path, RUN) is None
    assert load_checkpoint(tmp_path / "nowhere", RUN) is None


def test_a_new_run_has_no_epoch_behind_it():
    assert (RunState(RUN).epochs_done, RunState(RUN).best_epoch, RunState(RUN).history) == (0, 0, [])


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"epochs": 4}, ["epochs was 3 and is now 4"]),
        ({"head": "concat"}, ["head was None and is now 'concat'"]),
        ({"new": 1}, ["new was None and is now 1"]),
        ({"epochs": 4, "dataset": "mnist"}, ["epochs was 3 and is now 4", "dataset was 'digits' and is now 'mnist'"]),
    ],
)
def test_a_run_with_other_settings_is_refused_with_their_names(tmp_path, now, words):
    save_checkpoint(state_after(1), tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_checkpoint(tmp_path, {**RUN, **now})
    message = str(caught.value)
    assert all(word in message for word in words)
    assert message.count(" was ") == len(now)
    assert str(tmp_path / CHECKPOINT) in message
    assert "start a new run without --resume" in message


def test_values_that_json_writes_otherwise_are_still_the_same_run(tmp_path):
    state = state_after(1)
    state.run["size"] = (8, 8, 1)
    save_checkpoint(state, tmp_path)
    assert load_checkpoint(tmp_path, {**RUN, "size": (8, 8, 1)}) is not None


NO_ARRAYS = '"arrays": {"variables": 0, "optimizer": 0, "best": 0}'


def checkpoint_of(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a checkpoint",
        b"PK\x03\x04",
        b"\x93NUMPY" + bytes(100),
        checkpoint_of(a=np.zeros(3)),
        checkpoint_of(facts=np.array("{")),
        checkpoint_of(facts=np.array("[]")),
        checkpoint_of(facts=np.array('{"run": {}}')),
        checkpoint_of(facts=np.array(f"{{{NO_ARRAYS}}}")),
        checkpoint_of(facts=np.array(f'{{"run": {{}}, "unknown": 1, {NO_ARRAYS}}}')),
        checkpoint_of(facts=np.array(f'{{"run": {{}}, {NO_ARRAYS.replace("0", "1")}}}')),
        checkpoint_of(facts=np.array([{}], dtype=object)),
    ],
    ids=range(12),
)
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(ConfigError, match=r"checkpoint\.npz cannot be read: .*Train without --resume"):
        load_checkpoint(tmp_path, RUN)


def test_a_single_array_is_refused(tmp_path):
    with open(tmp_path / CHECKPOINT, "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ConfigError, match=r"checkpoint\.npz cannot be read"):
        load_checkpoint(tmp_path, RUN)


def test_a_folder_in_its_place_is_refused(tmp_path):
    (tmp_path / CHECKPOINT).mkdir()
    with pytest.raises(ConfigError, match="cannot be read: .*Is a directory"):
        load_checkpoint(tmp_path, RUN)


def test_objects_are_not_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    (tmp_path / CHECKPOINT).write_bytes(checkpoint_of(facts=np.array(Bomb(), dtype=object)))
    with pytest.raises(ConfigError, match="allow_pickle=False"):
        load_checkpoint(tmp_path, RUN)
    assert not (tmp_path / "exploded").exists()


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    save_checkpoint(state_after(1), tmp_path)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    for length in range(0, len(whole) - 1, 61):
        (tmp_path / CHECKPOINT).write_bytes(whole[:length])
        with pytest.raises(ConfigError, match="cannot be read"):
            load_checkpoint(tmp_path, RUN)


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path):
    """Some bytes of a zip, such as dates, are ignored; a state that loads equals the saved one."""
    save_checkpoint(state_after(1), tmp_path)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    refused, draw = 0, random.Random(0)
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        (tmp_path / CHECKPOINT).write_bytes(damaged)
        try:
            loaded = load_checkpoint(tmp_path, RUN)
        except ConfigError:
            refused += 1
        else:
            assert loaded is not None
            assert_equal(loaded, state_after(1))
    assert refused > 200


def test_arrays_are_stored_as_they_are(tmp_path):
    """Weights do not compress, and compression would take time after each epoch."""
    save_checkpoint(state_after(1), tmp_path)
    with zipfile.ZipFile(tmp_path / CHECKPOINT) as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_full_disk_leaves_the_state_before(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    save_checkpoint(state_after(1), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(state_after(2), tmp_path)
    loaded = load_checkpoint(tmp_path, RUN)
    assert loaded is not None
    assert_equal(loaded, state_after(1))
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


# The digest.


def facts_of(content):
    with np.load(io.BytesIO(content)) as file:
        return json.loads(str(file["facts"])), {name: file[name] for name in file.files if name != "facts"}


@pytest.fixture
def saved(tmp_path):
    save_checkpoint(state_after(1), tmp_path)
    return (tmp_path / CHECKPOINT).read_bytes()


def test_a_checkpoint_of_the_first_versions_has_no_digest_and_is_read(tmp_path, saved):
    facts, arrays = facts_of(saved)
    del facts["sha256"], facts["environment"]
    (tmp_path / CHECKPOINT).write_bytes(checkpoint_of(facts=np.array(json.dumps(facts)), **arrays))
    loaded = load_checkpoint(tmp_path, RUN)
    assert loaded is not None
    assert_equal(loaded, state_after(1))
    assert loaded.environment == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts, arrays: facts["history"][0].update(loss=0.1), "its contents do not match its SHA-256"),
        (lambda facts, arrays: facts.update(best_epoch=0), "SHA-256"),
        (lambda facts, arrays: facts["environment"].update(processors=3), "SHA-256"),
        (lambda facts, arrays: arrays["best.0"].__setitem__((0, 0), 7), "SHA-256"),
        (lambda facts, arrays: arrays.update({"best.0": arrays["best.0"].reshape(4, 3)}), "SHA-256"),
        (lambda facts, arrays: arrays.update({"best.0": arrays["best.0"].view(np.int32)}), "SHA-256"),
        (lambda facts, arrays: arrays.update({"best.1": np.zeros(1)}), "SHA-256"),
        (
            lambda facts, arrays: (facts.pop("sha256"), arrays.update({"best.1": np.zeros(1)})),
            "15 arrays that it lists; got 16",
        ),
        (lambda facts, arrays: (facts.pop("sha256"), arrays.pop("best.0")), "15 arrays that it lists; got 14"),
    ],
    ids=range(9),
)
def test_any_change_is_found_although_the_checksums_of_the_zip_are_right(tmp_path, saved, change, words):
    facts, arrays = facts_of(saved)
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(facts, arrays)
    (tmp_path / CHECKPOINT).write_bytes(checkpoint_of(facts=np.array(json.dumps(facts)), **arrays))
    with pytest.raises(ConfigError, match=f"cannot be read: .*{words}"):
        load_checkpoint(tmp_path, RUN)


def test_two_members_of_one_name_are_refused(tmp_path, saved):
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        member = archive.read("best.0.npy")
    content = io.BytesIO(saved)
    with zipfile.ZipFile(content, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("best.0.npy", member)
    (tmp_path / CHECKPOINT).write_bytes(content.getvalue())
    with pytest.raises(ConfigError, match="two arrays have the same name"):
        load_checkpoint(tmp_path, RUN)


def test_a_pipe_in_its_place_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / CHECKPOINT)
    with pytest.raises(ConfigError, match="cannot be read: .*Not a regular file"):
        load_checkpoint(tmp_path, RUN)


def read_unchanged_or_refused(tmp_path, cases):
    """Checks that each damaged copy, raw or with repaired checksums, is refused or loads as the saved state."""
    whole, refused = (tmp_path / CHECKPOINT).read_bytes(), 0
    copies = (repair_checksums(copy) if repaired else copy for repaired in (0, 1) for copy in damaged(whole, cases))
    for copy in copies:
        (tmp_path / CHECKPOINT).write_bytes(copy)
        try:
            loaded = load_checkpoint(tmp_path, RUN, ("learning_rate",))
        except ConfigError:
            refused += 1
        else:
            assert loaded is not None
            assert_equal(loaded, state_after(1))
            assert loaded.environment == {"processors": 2}
    assert refused > cases


def small(tmp_path):
    state = replace(state_after(1), environment={"processors": 2})
    save_checkpoint(state, tmp_path)


def test_fuzzed_it_is_read_unchanged_or_refused(tmp_path):
    small(tmp_path)
    read_unchanged_or_refused(tmp_path, 75)


@pytest.mark.slow
def test_fuzzed_20_000_times_it_is_read_unchanged_or_refused(tmp_path):
    small(tmp_path)
    read_unchanged_or_refused(tmp_path, 10_000)


# Settings that may change, and folders that contain a run.


def test_a_setting_may_change_in_a_run_that_is_not_finished(tmp_path):
    save_checkpoint(state_after(2), tmp_path)
    other = {**RUN, "learning_rate": 0.001}
    loaded = load_checkpoint(tmp_path, other, ("learning_rate",))
    assert loaded is not None
    assert loaded.run == RUN
    for changed, may_change in (({**other, "epochs": 4}, ("learning_rate",)), (other, ()), (other, ("seed",))):
        with pytest.raises(ConfigError, match="belongs to another run"):
            load_checkpoint(tmp_path, changed, may_change)
    save_checkpoint(state_after(3), tmp_path)
    with pytest.raises(ConfigError, match="learning_rate was 0.006 and is now 0.001"):
        load_checkpoint(tmp_path, other, ("learning_rate",))


def test_a_folder_with_a_run_can_be_resumed(tmp_path):
    for name in (CHECKPOINT, "config.json"):
        folder = tmp_path / name.split(".")[0]
        assert not contains_run(folder)
        with pytest.raises(ConfigError, match=f"nothing to resume in {folder}: it contains no run"):
            check_resumable(folder)
        folder.mkdir()
        (folder / name).touch()
        assert contains_run(folder)
        check_resumable(folder)


def test_folds_can_be_resumed_if_one_of_them_has_a_run(tmp_path):
    with pytest.raises(ConfigError, match="nothing to resume"):
        check_resumable(tmp_path, folds=3)
    (tmp_path / "fold-0").mkdir()
    (tmp_path / "fold-0" / "config.json").touch()
    check_resumable(tmp_path, folds=3)
