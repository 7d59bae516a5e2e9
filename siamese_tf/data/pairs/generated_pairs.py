"""Result of generating the pair files of a data set."""

from dataclasses import dataclass
from pathlib import Path

from siamese_tf.data.pairs.audit import Audit


@dataclass(frozen=True)
class GeneratedPairs:
    """Result of `generate_pair_files`.

    Attributes:
        train_path, test_path: the two files.
        note: which data set was used, and why when there was a choice.
        duplicates: images left out, by reason; see `siamese_tf.data.sampling.split.distinct_images`.
        audit: of both files together; the counts of pairs and images are in its parts.
        csv_path: of the same pairs as a list of image files; None where the images are no files of their own.
        unreadable: one line for each image file that is left out.
        warnings: one line for each thing that the user may not have meant, without "warning:".
    """

    train_path: Path
    test_path: Path
    note: str
    duplicates: dict[str, int]
    audit: Audit
    csv_path: Path | None = None
    unreadable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Returns what was done, for people, without the warnings."""
        dropped = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in self.duplicates.items())
        return [
            self.note,
            f"byte-identical images left out: {dropped}",
            *self.audit.lines(),
            *(f"wrote {path}" for path in (self.train_path, self.test_path, self.csv_path) if path is not None),
            *(f"could not be read: {line}" for line in self.unreadable),
        ]
