"""Mapping of a function over items with one thread per processor."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 16  # items per task; with a task per item, or more threads than processors, switching takes a third of the time
AT_ONCE = 256


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], at_once: int = AT_ONCE
) -> Iterator[Result]:
    """Yields `function(item)` for each item, in order; for functions that release the GIL, like Pillow's decoders.

    Args:
        function: is called in several threads; its first exception is raised here.
        items: arguments, one per call.
        at_once: maximum number of results that are computed but not yet consumed, 1 or more.
    """
    if len(items) <= 1:
        yield from map(function, items)
        return
    threads = os.cpu_count() or 1
    size = max(1, min(CHUNK, len(items) // threads, at_once // (2 * threads)))
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    pending: deque[Future[list[Result]]] = deque()

    def compute(chunk: Sequence[Item]) -> list[Result]:
        return [function(item) for item in chunk]

    with ThreadPoolExecutor(threads) as pool:
        for chunk in chunks:
            pending.append(pool.submit(compute, chunk))
            if (len(pending) + 1) * size > at_once:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
