"""Search for the largest values of each row of a wide matrix, faster than a partition of all columns.

The columns are divided into groups, group g with the columns g, g + groups, g + 2 groups and so on. One pass over the
matrix finds the maximum of each group; large values are then searched in the groups with large maxima only.
"""

import numpy as np

GROUP = 32  # columns of a group


def group_maxima(values: np.ndarray) -> np.ndarray:
    """Returns the (n, m // GROUP) maxima of the groups of (n, m) values; the last columns may be in no group."""
    groups = values.shape[1] // GROUP
    return values[:, : groups * GROUP].reshape(len(values), GROUP, groups).max(axis=1)


def columns_above(values: np.ndarray, maxima: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds all values of at least the bound of their row.

    Args:
        values: (n, m) float.
        maxima: `group_maxima` of the values.
        bounds: (n,) float.

    Returns:
        Rows and columns of these values, two integer arrays in any order.
    """
    groups = maxima.shape[1]
    rows, group = np.nonzero(maxima >= bounds[:, np.newaxis])
    columns = group[:, np.newaxis] + groups * np.arange(GROUP)  # (groups found, GROUP)
    found, member = np.nonzero(values[rows[:, np.newaxis], columns] >= bounds[rows, np.newaxis])
    last_rows, last = np.nonzero(values[:, groups * GROUP :] >= bounds[:, np.newaxis])
    return np.append(rows[found], last_rows), np.append(columns[found, member], groups * GROUP + last)


def largest_columns(values: np.ndarray, count: int) -> np.ndarray:
    """Finds the columns of the largest values of each row.

    Args:
        values: (n, m) float, without NaN.
        count: number of columns per row, from 1 to m.

    Returns:
        (n, count) integer columns in any order. Of equal values, any may be returned.
    """
    groups = values.shape[1] // GROUP
    if groups <= count:
        return np.argpartition(values, -count, axis=1)[:, -count:]
    best = np.argpartition(group_maxima(values), -count, axis=1)[:, -count:]  # they contain the largest values
    columns = (best[:, :, np.newaxis] + groups * np.arange(GROUP)).reshape(len(values), -1)
    rest = np.arange(groups * GROUP, values.shape[1])
    columns = np.concatenate([columns, np.broadcast_to(rest, (len(values), len(rest)))], axis=1)
    among = np.argpartition(np.take_along_axis(values, columns, axis=1), -count, axis=1)[:, -count:]
    return np.take_along_axis(columns, among, axis=1)
