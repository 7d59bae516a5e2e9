import numpy as np
import pytest

from siamese_tf.data.sampling.batches import epoch_batches, steps_per_epoch

ROWS = np.arange(100, 123)


def test_pencil():
    """7 pairs in batches of 3 give two batches; one pair is left over."""
    batches = epoch_batches(np.arange(7), 3, seed=0, epoch=0)
    assert batches.shape == (2, 3)
    assert len(set(batches.ravel())) == 6
    assert set(batches.ravel()) < set(range(7))


@pytest.mark.parametrize(
    ("pairs", "batch", "steps"), [(7, 3, 2), (6, 3, 2), (5, 3, 1), (3, 3, 1), (2, 3, 1), (9, 1, 9)]
)
def test_steps_per_epoch_counts_the_batches(pairs, batch, steps):
    assert steps_per_epoch(pairs, batch) == steps
    assert epoch_batches(np.arange(pairs), batch, seed=1, epoch=2).shape == (steps, min(batch, pairs))


@pytest.mark.parametrize("epoch", range(3))
def test_no_row_comes_twice_in_an_epoch(epoch):
    batches = epoch_batches(ROWS, 5, seed=7, epoch=epoch)
    assert batches.shape == (4, 5)
    assert len(np.unique(batches)) == 20
    assert np.isin(batches, ROWS).all()


def test_with_a_batch_size_that_divides_them_every_row_comes_once():
    assert sorted(epoch_batches(ROWS[:20], 5, seed=7, epoch=0).ravel()) == list(ROWS[:20])


def test_fewer_pairs_than_a_batch_are_one_batch_of_all():
    batches = epoch_batches(ROWS[:4], 128, seed=0, epoch=0)
    assert batches.shape == (1, 4)
    assert sorted(batches[0]) == list(ROWS[:4])


def test_other_rows_wait_in_other_epochs():
    waiting = [frozenset(ROWS) - set(epoch_batches(ROWS, 5, seed=7, epoch=epoch).ravel()) for epoch in range(20)]
    assert all(len(rows) == 3 for rows in waiting)
    assert len(set(waiting)) > 10


def test_the_order_is_a_function_of_seed_and_epoch_alone():
    first = epoch_batches(ROWS, 5, seed=7, epoch=3)
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    epoch_batches(ROWS, 5, seed=7, epoch=0)
    np.testing.assert_array_equal(epoch_batches(ROWS, 5, seed=7, epoch=3), first)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    orders = {epoch_batches(ROWS, 5, seed, epoch).tobytes() for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16  # (1, 0) is not (0, 1)


def test_the_rows_given_stay_as_they_are():
    rows = ROWS.copy()
    epoch_batches(rows, 5, seed=0, epoch=0)
    np.testing.assert_array_equal(rows, ROWS)
