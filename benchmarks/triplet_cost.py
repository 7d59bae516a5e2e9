"""Measures the forward and backward pass of one triplet loss at one batch size, in a subprocess.

The time is the median of several calls of a traced function, after one warm-up call. The memory is the peak of the
process minus the peak of a process that only multiplies the same embeddings. A loss with cubic memory is skipped if an
extrapolation from the previous size exceeds the free memory.
"""

import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from processes import ProcessKilled, run_in_process, worker
from rows import duration, memory

CLASSES, DIMENSIONS, MARGIN = 10, 128, 0.5
MAX_MEMORY_SHARE = 0.9  # of the free memory
MATMUL = "product of the embeddings"
ALL, SEMI_HARD, HARD = "batch-all", "semi-hard", "hard"
ADDONS, BROADCAST = "Addons, semi-hard", "broadcast, batch-all"
CUBIC = {ADDONS: SEMI_HARD, BROADCAST: ALL}  # loss with n x n x n memory -> equal loss of siamese_tf
HAS_ADDONS = importlib.util.find_spec("tensorflow_addons") is not None


class Cost(NamedTuple):
    """Cost of one loss at one batch size; times and loss are None if it was not run.

    Attributes:
        bytes: peak memory, or the estimate if it was not run.
        seconds: wall time of one call.
        cpu: processor time of one call in seconds, summed over all cores.
        loss: value of the loss.
    """

    bytes: float
    seconds: float | None = None
    cpu: float | None = None
    loss: float | None = None

    def __str__(self) -> str:
        return (
            f"not run, ~{memory(self.bytes)}"
            if self.seconds is None
            else f"{duration(self.seconds)}, {memory(self.bytes)}"
        )


def measure(name: str, size: int, matmul: Cost, smaller: Cost | None, min_runs: tuple[int, float]) -> Cost:
    """Returns the cost of a loss at one batch size, without the memory of TensorFlow and the embeddings.

    Args:
        name: name of the loss.
        size: number of embeddings.
        matmul: `total_cost` of MATMUL at this size.
        smaller: cost of the loss at half the size, if known; predicts the memory of a cubic loss.
        min_runs: minimum number of calls, and minimum seconds in total.
    """
    needed = smaller.bytes * 8 if name in CUBIC and smaller else 0.0
    if needed > MAX_MEMORY_SHARE * free_memory():
        return Cost(needed)
    try:
        cost = total_cost(name, size, min_runs)
    except ProcessKilled:
        return Cost(needed)
    return cost._replace(bytes=max(cost.bytes - matmul.bytes, 2**20))


def total_cost(name: str, size: int, min_runs: tuple[int, float]) -> Cost:
    """Returns the cost of a loss, including all memory of its process."""
    run = run_in_process(call, name, size, *min_runs)
    return Cost(run.bytes, **run.result)


def check_equal(name: str, cost: Cost, ours: Cost) -> None:
    """Exits with a message if a cubic loss and the equal loss of siamese_tf have different values."""
    if cost.loss is not None and ours.loss is not None and not np.isclose(cost.loss, ours.loss, rtol=1e-4):
        raise SystemExit(f"bench: {name} must equal {CUBIC[name]} of siamese_tf, {ours.loss}; got {cost.loss}")


def call(name: str, size: int, runs: int, min_seconds: float) -> dict[str, float]:
    """Runs one loss in this process; returns its median wall and processor time in seconds, and its value."""
    import tensorflow as tf

    loss = loss_function(name)
    drawn = np.random.default_rng(0).normal(size=(size, DIMENSIONS))
    embeddings = tf.constant(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), tf.float32)
    labels = tf.constant(np.arange(size) % CLASSES)

    @tf.function
    def forward_and_backward() -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(labels, embeddings, MARGIN)
        return value, tape.gradient(value, embeddings)

    value = float(forward_and_backward()[0])
    turns: list[tuple[float, float]] = []
    while len(turns) < runs or sum(seconds for seconds, _ in turns) < min_seconds:
        started, cpu = time.perf_counter(), time.process_time()
        forward_and_backward()[1].numpy()
        turns.append((time.perf_counter() - started, time.process_time() - cpu))
    seconds, cpu = (statistics.median(column) for column in zip(*turns, strict=True))
    return {"seconds": seconds, "cpu": cpu, "loss": value}


def loss_function(name: str) -> Callable[[Any, Any, float], Any]:
    import tensorflow as tf

    from siamese_tf.losses import triplet_batch_all_loss, triplet_hard_loss, triplet_semihard_loss

    if HAS_ADDONS:  # in every process, so that the memory of the import cancels out
        from tensorflow_addons.losses import triplet_semihard_loss as addons_loss
    functions = {
        MATMUL: lambda _, embeddings, margin: (
            margin * tf.reduce_sum(tf.matmul(embeddings, embeddings, transpose_a=True))
        ),
        ALL: triplet_batch_all_loss,
        SEMI_HARD: triplet_semihard_loss,
        HARD: triplet_hard_loss,
        BROADCAST: broadcast_batch_all,
    }
    return addons_loss if name == ADDONS else functions[name]


def broadcast_batch_all(labels: Any, embeddings: Any, margin: float) -> Any:
    """Computes the loss of every triplet in (n, n, n) arrays, averaged over the active triplets."""
    import tensorflow as tf

    products = tf.matmul(embeddings, embeddings, transpose_b=True)
    squares = tf.linalg.diag_part(products)
    distances = tf.sqrt(tf.maximum(squares[:, None] - 2.0 * products + squares[None, :], 1e-12))
    same = labels[:, None] == labels[None, :]
    positive = tf.logical_and(same, tf.logical_not(tf.eye(tf.size(labels), dtype=tf.bool)))
    valid = tf.logical_and(positive[:, :, None], tf.logical_not(same)[:, None, :])
    losses = tf.nn.relu(distances[:, :, None] - distances[:, None, :] + margin) * tf.cast(valid, tf.float32)
    return tf.reduce_sum(losses) / tf.maximum(tf.reduce_sum(tf.cast(losses > 0, tf.float32)), 1.0)


def free_memory() -> float:
    """Returns the available memory in bytes, or the total memory if the system does not report it."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except OSError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    worker()
