"""Order of the batches: a function of (seed, epoch) alone, so a resumed run sees the same batches."""

import numpy as np


def steps_per_epoch(pairs: int, batch_pairs: int) -> int:
    """Returns the number of whole batches in one pass over the pairs; the remainder differs every epoch."""
    return max(1, pairs // batch_pairs)


def epoch_batches(rows: np.ndarray, batch_pairs: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the rows of every batch of one epoch.

    Args:
        rows: (n,) integers, the pairs to go through.
        batch_pairs: pairs in a batch; all of them where there are fewer.
        seed: of the run.
        epoch: from 0.

    Returns:
        (steps_per_epoch, min(batch_pairs, n)) of `rows`, in random order, no row twice.
    """
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    steps = steps_per_epoch(len(rows), batch_pairs)
    width = min(batch_pairs, len(rows))
    return order[: steps * width].reshape(steps, width)
