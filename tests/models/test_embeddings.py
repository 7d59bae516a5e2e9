import subprocess
import sys

import numpy as np
import pytest

from siamese_tf.errors import ImageError
from siamese_tf.models.embeddings import (
    SHORTEST,
    as_embeddings,
    check_comparable,
    check_scores,
    check_some_comparable,
    comparable,
)

GOOD = np.ones(3, np.float32)
BAD = [[0, 0, 0], [np.nan, 1, 1], [np.inf, 1, 1], [SHORTEST / 9, 0, 0], [1e30, 1e30, 1e30]]


def test_which_can_be_compared():
    rows = np.array([GOOD, *BAD, [0, 0, 1e-5]], np.float32)
    assert comparable(rows).tolist() == [True, *[False] * len(BAD), True]


@pytest.mark.parametrize("bad", BAD)
def test_the_message_names_the_first_that_cannot(bad):
    rows = np.array([GOOD, bad, GOOD, bad], np.float32)
    with pytest.raises(ImageError, match=r"not zero; got an invalid one for img1\[1\] and 1 more, of 4\. Check"):
        check_comparable(rows, "img1")
    with pytest.raises(ImageError, match=r"images\[70\] and 1 more, of 4"):
        check_comparable(rows, positions=np.array([60, 70, 80, 90]))
    check_comparable(rows[::2])
    check_comparable(rows[:0])


def test_a_data_set_with_a_few_zeros_passes_and_a_broken_model_does_not():
    rows = np.array([GOOD, np.zeros(3)], np.float32)
    check_some_comparable(rows, "digits")
    check_some_comparable(rows[:0], "digits")
    with pytest.raises(ImageError, match="got 1 invalid ones for the 1 images of digits: 0 not finite, the others 0"):
        check_some_comparable(rows[1:], "digits")
    with pytest.raises(ImageError, match="got 2 invalid ones for the 3 images of digits: 1 not finite"):
        check_some_comparable(np.array([*rows, [np.nan, 0, 0]], np.float32), "digits")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(bad):
    check_scores(np.array([0.5, 1]))
    with pytest.raises(ImageError, match="got NaN or infinity for 1 of 2 pairs: an embedding is 0 or not finite"):
        check_scores(np.array([0.5, bad]))


@pytest.mark.parametrize("bad", ["a face", [[1, 2, 3], [4]], [[object()] * 3]])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(ImageError, match="embeddings"):
        as_embeddings(bad, 3)


def test_the_reason_is_one_short_line():
    with pytest.raises(ImageError) as caught:
        as_embeddings("\x1b[2J\n" * 500, 3)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_a_single_embedding_is_taken_where_it_is_asked_for():
    assert as_embeddings([1, 2, 3], 3, single=True).shape == (1, 3)
    assert as_embeddings([[1, 2, 3]] * 2, 3, single=True).shape == (2, 3)
    with pytest.raises(ImageError, match=r"must have shape \(n, 3\) for this model; got \(3,\)"):
        as_embeddings([1, 2, 3], 3)
    for bad in ([1, 2], 1.0, np.ones((1, 1, 3)), []):
        with pytest.raises(ImageError, match=r"must have shape \(n, 3\)"):
            as_embeddings(bad, 3, single=True)


def test_it_loads_no_tensorflow():
    """The gallery lists and removes people without it."""
    code = "import sys, siamese_tf.models.embeddings; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
