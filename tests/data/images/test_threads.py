"""Mapping in threads: order, errors, and the limit of results in memory."""

import threading
import time

import pytest

from siamese_tf.data.images.threads import CHUNK, map_in_threads

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("count", [0, 1, 2, CHUNK, CHUNK + 1, 500])
@pytest.mark.parametrize("at_once", [1, 7, 256])
def test_results_are_in_the_order_of_the_items(count, at_once):
    assert [*map_in_threads(lambda item: 2 * item, range(count), at_once)] == [*range(0, 2 * count, 2)]


def test_slow_items_do_not_change_the_order(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)

    def slow_at_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item

    assert [*map_in_threads(slow_at_first, range(100))] == [*range(100)]


def test_two_items_are_processed_at_the_same_time(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    both = threading.Barrier(2, timeout=30)
    assert len([*map_in_threads(lambda _: both.wait(), range(2))]) == 2


@pytest.mark.parametrize(("threads", "at_once"), [(1, 10), (2, 100), (4, 8), (4, 1)])
def test_no_more_results_than_the_limit_are_in_memory(monkeypatch, threads, at_once):
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    computed, most, consumed = [], 0, 0
    for _ in map_in_threads(computed.append, range(1000), at_once):
        most = max(most, len(computed) - consumed)
        consumed += 1
    assert consumed == 1000
    assert 1 <= most <= at_once


def test_the_first_exception_is_raised_after_the_results_before_it():
    def fails_at_300(item: int) -> int:
        if item >= 300:
            raise ValueError(f"item {item}")
        return item

    results = map_in_threads(fails_at_300, range(1000))
    assert [next(results) for _ in range(288)] == [*range(288)]  # whole tasks before the failing one
    with pytest.raises(ValueError, match="item 300"):
        list(results)
