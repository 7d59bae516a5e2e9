"""What one triplet loss costs at one size, forward and backward, in a process of its own.

Its time is the median of several calls of a traced function, after a first one. Its memory is the most that the process
held, less what one holds that only takes a product of the same embeddings. What grows with the cube of the batch is not
started where, by the size before, it would not fit into memory.
"""

import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from processes import Killed, in_a_process, serve
from rows import duration, memory

CLASSES, DIMENSIONS, MARGIN = 10, 128, 0.5
MOST = 0.9  # of the free memory
NOTHING = "product of the embeddings"
ALL, SEMI_HARD, HARD = "batch-all", "semi-hard", "hard"
ADDONS, BROADCAST = "Addons, semi-hard", "broadcast, batch-all"
CUBIC = {ADDONS: SEMI_HARD, BROADCAST: ALL}  # -> ours of the same value
HAS_ADDONS = importlib.util.find_spec("tensorflow_addons") is not None


class Cost(NamedTuple):
    """Of one loss at one size; all but `bytes` is None where it was not run. `busy`: seconds of all processors."""

    bytes: float
    seconds: float | None = None
    busy: float | None = None
    loss: float | None = None

    def __str__(self) -> str:
        return (
            f"not run, ~{memory(self.bytes)}"
            if self.seconds is None
            else f"{duration(self.seconds)}, {memory(self.bytes)}"
        )


def measure(name: str, size: int, nothing: Cost, smaller: Cost | None, least: tuple[int, float]) -> Cost:
    """What a loss costs at one size.

    Args:
        name: of the loss.
        size: embeddings.
        nothing: what NOTHING costs at this size, see `in_full`.
        smaller: what the loss costs at half the size, if that is known: of a cubic one, it tells what this would take.
        least: calls at least, and more until so many seconds have passed.
    """
    needed = smaller.bytes * 8 if name in CUBIC and smaller else 0.0
    if needed > MOST * free_memory():
        return Cost(needed)
    try:
        cost = in_full(name, size, least)
    except Killed:
        return Cost(needed)
    return cost._replace(bytes=max(cost.bytes - nothing.bytes, 2**20))


def in_full(name: str, size: int, least: tuple[int, float]) -> Cost:
    """What a loss costs, with all the memory of its process."""
    run = in_a_process(call, name, size, *least)
    return Cost(run.bytes, **run.answer)


def check_same(name: str, cost: Cost, ours: Cost) -> None:
    """Ends with a message where a cubic loss and ours do not have the same value."""
    if cost.loss is not None and ours.loss is not None and not np.isclose(cost.loss, ours.loss, rtol=1e-4):
        raise SystemExit(f"bench: {name} is {cost.loss}, and ours, {CUBIC[name]}, {ours.loss}")


def call(name: str, size: int, runs: int, long_enough: float) -> dict[str, float]:
    """Runs one loss in this process: its median seconds, by the clock and of the processors, and its value."""
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
    while len(turns) < runs or sum(seconds for seconds, _ in turns) < long_enough:
        started, busy = time.perf_counter(), time.process_time()
        forward_and_backward()[1].numpy()
        turns.append((time.perf_counter() - started, time.process_time() - busy))
    seconds, busy = (statistics.median(column) for column in zip(*turns, strict=True))
    return {"seconds": seconds, "busy": busy, "loss": value}


def loss_function(name: str) -> Callable[[Any, Any, float], Any]:
    import tensorflow as tf

    from siamese_tf.losses import triplet_batch_all_loss, triplet_hard_loss, triplet_semihard_loss

    if HAS_ADDONS:  # in every process, so that its import weighs in none
        from tensorflow_addons.losses import triplet_semihard_loss as addons_loss
    functions = {
        NOTHING: lambda _, embeddings, margin: (
            margin * tf.reduce_sum(tf.matmul(embeddings, embeddings, transpose_a=True))
        ),
        ALL: triplet_batch_all_loss,
        SEMI_HARD: triplet_semihard_loss,
        HARD: triplet_hard_loss,
        BROADCAST: broadcast_batch_all,
    }
    return addons_loss if name == ADDONS else functions[name]


def broadcast_batch_all(labels: Any, embeddings: Any, margin: float) -> Any:
    """Every triplet in (n, n, n) arrays, averaged over the active ones."""
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
    """Bytes; where the system does not say what is free, all there is."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except OSError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    serve()
