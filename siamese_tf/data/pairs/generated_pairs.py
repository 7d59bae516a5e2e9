"""Result of generating the pair files of a data set."""

from dataclasses import dataclass
from pathlib import Path

from siamese_tf.data.pairs.audit import Audit


@dataclass(frozen=True)
class GeneratedPairs:
    """Result of `generate_pair_files`.

    Attributes:
        train_path, test_path: paths of the two files.
        note: data set that was used, and the reason if there was a choice.
        duplicates: number of omitted images by reason; `siamese_tf.data.sampling.split.distinct_images` has the keys.
        audit: audit of both files together; its `parts` contain the numbers of pairs and images.
        csv_path: path of the CSV list of the same pairs; None if the data set has no image files.
        unreadable: one line for each image file that could not be read.
        warnings: one line for each warning, without the prefix "warning:".
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
        """Returns a report as lines of text, without the warnings."""
        dropped = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in self.duplicates.items())
        return [
            self.note,
            f"byte-identical images left out: {dropped}",
            *self.audit.lines(),
            *(f"wrote {path}" for path in (self.train_path, self.test_path, self.csv_path) if path is not None),
            *(f"could not be read: {line}" for line in self.unreadable),
        ]
