"""Search for the largest values of each row of a wide matrix, faster than a partition of all columns."""

import numpy as np

GROUP = 32  # columns of a group


def largest_columns(values: np.ndarray, count: int) -> np.ndarray:
    """Finds the columns of the largest values of each row.

    The columns are divided into groups. The groups with the largest maxima contain the largest values, so that one pass
    over the matrix for the maxima is enough, and only `count` groups are searched.

    Args:
        values: (n, m) float, without NaN.
        count: number of columns per row, from 1 to m.

    Returns:
        (n, count) integer columns in any order. Of equal values, any may be returned.
    """
    groups = values.shape[1] // GROUP
    if groups <= count:
        return np.argpartition(values, -count, axis=1)[:, -count:]
    whole = groups * GROUP
    maxima = values[:, :whole].reshape(len(values), GROUP, groups).max(axis=1)  # group g: columns g, g + groups, ...
    best = np.argpartition(maxima, -count, axis=1)[:, -count:]
    columns = (best[:, :, np.newaxis] + groups * np.arange(GROUP)).reshape(len(values), -1)
    rest = np.broadcast_to(np.arange(whole, values.shape[1]), (len(values), values.shape[1] - whole))
    columns = np.concatenate([columns, rest], axis=1)
    among = np.argpartition(np.take_along_axis(values, columns, axis=1), -count, axis=1)[:, -count:]
    return np.take_along_axis(columns, among, axis=1)
