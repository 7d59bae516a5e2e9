"""Training, validation and test pairs of a run."""

from dataclasses import dataclass

from siamese_tf.data.pairs.pair_file import PairDataset


@dataclass(frozen=True)
class TrainTestPairs:
    """Training, validation and test pairs of a run.

    Attributes:
        train: with training and validation rows.
        test: with test rows; None where there are none.
        dataset: the name of the data set, for titles and folders.
        note: one line for people: which files, and why when there was a choice.
        leaks: what the audit of the files found, see `Audit.leaks`; 0 is as it should be.
        unreadable: one line for each image file of the data set that is left out.
        warnings: one line for each thing that the user may not have meant, without "warning:".
    """

    train: PairDataset
    test: PairDataset | None
    dataset: str
    note: str
    leaks: int = 0
    unreadable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Returns the note, and a line for each image file that is left out."""
        return [self.note, *(f"could not be read: {line}" for line in self.unreadable)]

    def warning_lines(self) -> tuple[str, ...]:
        """Returns the warnings, the last one where the pairs leak; see `printable.warn`."""
        if not self.leaks:
            return self.warnings
        findings = f"{self.leaks:,} findings; see siamese-tf pairs check"
        return (*self.warnings, f"These pairs leak ({findings}): accuracies on them flatter the model.")
