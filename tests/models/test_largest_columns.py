import numpy as np
import pytest

from siamese_tf.models.largest_columns import GROUP, columns_above, group_maxima, largest_columns


@pytest.mark.parametrize("columns", [1, 31, 33, 20 * GROUP, 20 * GROUP + 7])
@pytest.mark.parametrize("count", [1, 3, 19, 20, 21])
def test_finds_the_values_of_a_sorted_row(columns, count):
    values = np.random.default_rng(columns).normal(size=(11, columns)).astype(np.float32)
    count = min(count, columns)
    found = largest_columns(values, count)
    np.testing.assert_array_equal(np.sort(found), np.sort(np.argsort(values)[:, -count:]))


def test_finds_the_largest_values_wherever_they_are():
    """All in one group, all in the columns that fill no group, or one in each."""
    groups = 10
    for largest in (groups * np.arange(5), groups * GROUP + np.arange(5), np.arange(5)):
        values = np.zeros((1, groups * GROUP + 6))
        values[0, largest] = 1.0 + np.arange(5)
        assert sorted(largest_columns(values, 5)[0]) == sorted(largest)


def test_equal_values_are_found_once_each():
    values = np.random.default_rng(0).integers(4, size=(9, 40 * GROUP)).astype(np.float32)
    found = largest_columns(values, 7)
    assert all(len(set(row)) == 7 for row in found)
    np.testing.assert_array_equal(np.sort(np.take_along_axis(values, found, axis=1)), np.sort(values)[:, -7:])


def test_negative_infinity_is_a_value():
    values = np.full((2, 10 * GROUP), -np.inf)
    values[:, 3] = 0.0
    found = largest_columns(values, 2)
    assert all(3 in row and len(set(row)) == 2 for row in found)


@pytest.mark.parametrize("columns", [GROUP - 1, GROUP, 5 * GROUP + 3])
def test_finds_all_values_above_a_bound(columns):
    values = np.random.default_rng(columns).integers(9, size=(8, columns)).astype(np.float32)
    bounds = np.array([-1, 0, 4, 7.5, 8, 9, np.inf, 3])
    rows, found = columns_above(values, group_maxima(values), bounds)
    expected = np.nonzero(values >= bounds[:, np.newaxis])
    np.testing.assert_array_equal(sorted(zip(rows, found, strict=True)), np.stack(expected, axis=1))
