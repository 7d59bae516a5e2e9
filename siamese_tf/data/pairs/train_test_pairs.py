"""Training, validation and test pairs of a run."""

from dataclasses import dataclass

from siamese_tf.data.pairs.pair_file import PairDataset


@dataclass(frozen=True)
class TrainTestPairs:
    """Training, validation and test pairs of a run.

    Attributes:
        train: data set with training and validation pairs.
        test: data set with test pairs; None if there are none.
        dataset: name of the data set, for titles and folders.
        note: one line for the log: the files, and the reason if there was a choice.
        leaks: `Audit.leaks` of the files; 0 means no leaks.
        unreadable: one line for each image file of the data set that could not be read.
        warnings: one line for each warning, without the prefix "warning:".
    """

    train: PairDataset
    test: PairDataset | None
    dataset: str
    note: str
    leaks: int = 0
    unreadable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Returns the note, and one line for each image file that could not be read."""
        return [self.note, *(f"could not be read: {line}" for line in self.unreadable)]

    def warning_lines(self) -> tuple[str, ...]:
        """Returns the warnings for `printable.warn`; if the pairs leak, the last one says so."""
        if not self.leaks:
            return self.warnings
        findings = f"{self.leaks:,} findings; see siamese-tf pairs check"
        return (*self.warnings, f"These pairs leak ({findings}): accuracies on them overestimate the model.")
