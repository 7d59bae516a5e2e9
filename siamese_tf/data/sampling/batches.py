"""Order of the batches: depends only on (seed, epoch), so a resumed run trains on the same batches."""

import numpy as np


def steps_per_epoch(pairs: int, batch_pairs: int) -> int:
    """Returns the number of full batches in one pass over the pairs; different pairs are left over in each epoch."""
    return max(1, pairs // batch_pairs)


def epoch_batches(rows: np.ndarray, batch_pairs: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the rows of every batch of one epoch.

    Args:
        rows: row numbers of the pairs, (n,) integers.
        batch_pairs: number of pairs per batch; if fewer pairs exist, a batch has all of them.
        seed: seed of the run.
        epoch: number of the epoch, 0 or more.

    Returns:
        Values of `rows` in random order without repetition, (steps_per_epoch, min(batch_pairs, n)).
    """
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    steps = steps_per_epoch(len(rows), batch_pairs)
    width = min(batch_pairs, len(rows))
    return order[: steps * width].reshape(steps, width)
