"""What the triplet losses cost, forward and backward, in one table: ours, TensorFlow Addons' and the plain broadcast.

    python benchmarks/triplet.py

Every cell is a process of its own. Its time is the median of several calls of a traced function, after a first one. Its
memory is the most that the process held, less what one holds that only takes a product of the same embeddings. What
grows with the cube of the batch is not started where, by the size before, it would not fit into memory.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

SIZES = (128, 256, 512, 1024, 2048, 4096, 8192)
COMPARED_AT = 1024
CLASSES, DIMENSIONS, MARGIN = 10, 128, 0.5
RUNS, LONG_ENOUGH = 3, 2.0  # at least so many calls, and more until so many seconds have passed
MOST = 0.9  # of the free memory
NOTHING = "product of the embeddings"
ALL, SEMI_HARD, HARD = "ours, batch-all", "ours, semi-hard", "ours, hard"
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
        if self.seconds is None:
            return f"not run\n~{memory(self.bytes)}"
        duration = f"{self.seconds:.2f} s" if self.seconds >= 1 else f"{self.seconds * 1e3:.1f} ms"
        return f"{duration}\n{memory(self.bytes)}"


def memory(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB" if size < 2**30 else f"{size / 2**30:,.{1 if size < 2**34 else 0}f} GiB"


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


def run_here(name: str, size: int) -> dict[str, float]:
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
    while len(turns) < RUNS or sum(seconds for seconds, _ in turns) < LONG_ENOUGH:
        started, busy = time.perf_counter(), time.process_time()
        forward_and_backward()[1].numpy()
        turns.append((time.perf_counter() - started, time.process_time() - busy))
    seconds, busy = (statistics.median(column) for column in zip(*turns, strict=True))
    return {"seconds": seconds, "busy": busy, "loss": value}


def run_in_a_process(name: str, size: int) -> Cost | None:
    """Runs one loss in a process of its own, whose whole memory is counted; None where the system killed it."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-W", "ignore", __file__, name, str(size)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.WIFSIGNALED(status):
        return None
    if status != 0:
        raise SystemExit(f"bench: `python {Path(__file__).name} '{name}' {size}` failed; run it to see why")
    return Cost(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), **json.loads(answer.splitlines()[-1]))


def free_memory() -> float:
    """Bytes; where the system does not say what is free, all there is."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except OSError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def measure(name: str, size: int, nothing: Cost, smaller: dict[int, Cost]) -> Cost:
    """What one cell costs; a cubic loss that would not fit is not run, and its memory told from the size before."""
    needed = smaller[size // 2].bytes * 8 if name in CUBIC and smaller else 0.0
    if needed > MOST * free_memory():
        return Cost(needed)
    cost = run_in_a_process(name, size)
    if cost is None:
        return Cost(needed)
    return cost._replace(bytes=max(cost.bytes - nothing.bytes, 2**20))


def compare(name: str, costs: dict[str, dict[int, Cost]]) -> str:
    """How many times as much a cubic loss takes as ours of the same value, at COMPARED_AT or the next size below."""
    ours = costs[CUBIC[name]]
    run = {size: cost for size, cost in costs[name].items() if cost.seconds is not None}
    for size, cost in run.items():
        if not np.isclose(cost.loss, ours[size].loss, rtol=1e-4):
            raise SystemExit(f"bench: of {size} embeddings {name} is {cost.loss} and {CUBIC[name]} {ours[size].loss}")
    size = max(size for size in run if size <= COMPARED_AT)
    longer, busier, more = (getattr(run[size], of) / getattr(ours[size], of) for of in ("seconds", "busy", "bytes"))
    return (
        f"At {size:,}, {name} takes {longer:.0f} times as long as {CUBIC[name]}, {busier:.0f} times the processors' "
        f"time and {more:.0f} times the memory."
    )


def main() -> None:
    names = [ALL, SEMI_HARD, HARD, *([ADDONS] if HAS_ADDONS else []), BROADCAST]
    print(
        f"Forward and backward, L2, margin {MARGIN}; {DIMENSIONS}-d embeddings of length 1, random; {CLASSES} classes."
    )
    print(f"{os.cpu_count()} processors, {memory(free_memory())} of memory free, Python {sys.version.split()[0]}.")
    costs: dict[str, dict[int, Cost]] = {name: {} for name in names}
    table = Table("embeddings", *names)
    for size in SIZES:
        nothing = run_in_a_process(NOTHING, size)
        for name in names:
            costs[name][size] = measure(name, size, nothing, costs[name])
        table.add_row(f"{size:,}", *(str(costs[name][size]) for name in names), end_section=True)
    Console().print(table)
    print("~: what it would take; not run where that is not free.")
    print("\n".join(compare(name, costs) for name in CUBIC if name in costs))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(run_here(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
