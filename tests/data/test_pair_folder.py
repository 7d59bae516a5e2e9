import threading

import numpy as np
import pytest

from siamese_tf.data.generate import generate_pair_files
from siamese_tf.data.open import open_pairs
from siamese_tf.data.pair_file import TEST, TRAIN, PairFile
from siamese_tf.data.pair_folder import GENERATION_KEYS, check_same_run, pairs_lock
from siamese_tf.errors import PairFileError
from siamese_tf.locks import LOCK

MADE = {
    "version": "0.1.0",
    "files": {"images": "ab"},
    "seed": 0,
    "split": "image",
    "images": {"train": 2},
    "pairs": {"train": 1, "validation": 1, "test": 1},
    "duplicates": {"same_label": 0},
    "audit": {"findings": {}},
    "form": {"resize": "pad"},
    "unreadable": 0,
}


def pair_file(name, part, manifest):
    row = np.zeros(1, np.int32)
    return PairFile(
        np.zeros((2, 2, 2, 1), np.uint8), None, row, row + 1, np.ones(1), np.array([part]), manifest, path=name
    )


def check(train, test):
    check_same_run(pair_file("train_pairs.npz", TRAIN, train), pair_file("test_pairs.npz", TEST, test))


def test_the_files_of_one_run_go_together():
    assert set(MADE) == set(GENERATION_KEYS)
    check(MADE, dict(MADE))
    check({**MADE, "digest": "of the one"}, {**MADE, "digest": "of the other"})


@pytest.mark.parametrize("key", [key for key in MADE if key != "files"])
def test_the_files_of_two_runs_do_not(key):
    with pytest.raises(PairFileError) as refused:
        check(MADE, {**MADE, key: "another"})
    assert str(refused.value) == (
        f"test_pairs.npz was made in another run (other {key}) than train_pairs.npz, beside which it stands."
        " Make both again with siamese-tf pairs generate, or name a test file with --test-pairs."
    )


def test_files_of_other_images_do_not_either():
    with pytest.raises(PairFileError, match="test_pairs.npz was made from other images than train_pairs.npz"):
        check(MADE, {**MADE, "files": {}, "seed": 1})


@pytest.mark.parametrize("manifest", [{}, {"format": 1}, {"source": "mine"}])
def test_files_made_by_hand_need_not_say(manifest):
    check(MADE, manifest)
    check(manifest, MADE)


def test_a_kill_between_the_renames_of_two_seeds_is_found(tmp_path):
    few = {"train_pairs": 8, "validation_pairs": 4, "test_pairs": 4}
    old = generate_pair_files("digits", out=tmp_path, **few)
    assert open_pairs("digits", folder=tmp_path).leaks == 0
    new = generate_pair_files("digits", out=tmp_path / "new", seed=1, **few)
    new.train_path.replace(old.train_path)
    with pytest.raises(PairFileError, match=r"test_pairs\.npz was made in another run .other seed.* Make both again"):
        open_pairs("digits", folder=tmp_path)


def test_the_lock_can_be_entered_again_by_its_holder_and_by_no_other_thread(tmp_path):
    order = []

    def other():
        with pairs_lock(tmp_path):
            order.append("other")

    with pairs_lock(tmp_path):
        with pairs_lock(tmp_path / "." / "x" / ".."):
            order.append("inner")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.05)
        order.append("outer")
    thread.join()
    assert order == ["inner", "outer", "other"]
    assert not (tmp_path / LOCK).exists()
