"""The middle of a plateau: all thresholds between two neighboring scores make the same decisions, so take the midpoint.

The midpoint is as far from the scores on both sides as possible, which makes decisions robust to rounding.
"""

import numpy as np


def midpoint(low: float, high: float) -> float:
    """Returns the threshold in the middle of the interval (low, high], or `high` if no float lies between."""
    middle = low + (high - low) / 2
    return float(middle if middle > low else high)


def plateau_threshold(thresholds: np.ndarray, point: int) -> float:
    """Returns the middle of the plateau of thresholds that make the same decisions as `thresholds[point]`.

    The outermost plateaus end at 0 and 1, or at the outermost scores if these lie outside [0, 1].

    Args:
        thresholds: (k,) decreasing from infinity, as from `roc_curve`.
        point: a position in `thresholds`.
    """
    top = max(1.0, float(np.nextafter(thresholds[1], np.inf)))
    high = top if point == 0 else float(thresholds[point])
    low = float(thresholds[point + 1]) if point + 1 < len(thresholds) else min(0.0, high)
    return midpoint(low, high)
