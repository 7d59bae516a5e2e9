"""Error rates of scored pairs under changing weights, as a bootstrap or a jackknife needs them."""

import numpy as np

from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.report import FALSE_MATCH_RATES
from siamese_tf.evaluation.roc import area_under_curve, equal_error_rate, min_different_pairs

RATES = ("accuracy", "f1", "fmr", "fnmr", "eer", "auc")


class PairRates:
    """All rates of scored pairs as a function of the weights of the pairs; the scores are sorted only once."""

    def __init__(self, same: np.ndarray, values: np.ndarray, called_same: np.ndarray):
        self.same = same
        self.outcome = 2 * same + called_same
        self.order = np.argsort(-values, kind="stable")
        self.last_of_each_score = np.append(np.flatnonzero(np.diff(values[self.order])), values.size - 1)
        different = int(np.count_nonzero(~same))
        self.supported = [fmr for fmr in FALSE_MATCH_RATES if different >= min_different_pairs(fmr)]

    def counts(self, weights: np.ndarray) -> dict[str, int]:
        """Returns the weighted confusion counts, by the names of `metrics.confusion`."""
        sums = np.bincount(self.outcome, weights, minlength=4).astype(int)
        return dict(zip(("tn", "fp", "fn", "tp"), sums.tolist(), strict=True))

    def of(self, weights: np.ndarray) -> dict[str, float]:
        """Returns the rates by name, "0.1" being the FNMR at that FMR; NaN if the same or different pairs weigh 0."""
        counts = self.counts(weights)
        same, different = counts["tp"] + counts["fn"], counts["fp"] + counts["tn"]
        if not same or not different:
            return dict.fromkeys([*RATES, *map(str, self.supported)], float("nan"))
        ordered, kind = weights[self.order], self.same[self.order]
        tar = np.append(0, np.cumsum(ordered * kind)[self.last_of_each_score]) / same
        fmr = np.append(0, np.cumsum(ordered * ~kind)[self.last_of_each_score]) / different
        return {
            "accuracy": metrics.accuracy(counts),
            "f1": metrics.f1(counts),
            "fmr": counts["fp"] / different,
            "fnmr": counts["fn"] / same,
            "eer": equal_error_rate(fmr, tar),
            "auc": area_under_curve(fmr, tar),
            **{str(limit): float(1 - tar[fmr <= limit].max()) for limit in self.supported},
        }
