"""`siamese-tf score`."""

import json
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from siamese_tf.commands.options import Model, Quiet
from siamese_tf.console import start_tensorflow
from siamese_tf.errors import SiameseError
from siamese_tf.printable import print_lines


def score(
    model: Model,
    images: Annotated[list[Path] | None, Argument(help="Two image files.", show_default=False)] = None,
    pairs: Annotated[Path | None, Option(help="CSV file with the columns img1, img2[, similarity].")] = None,
    out: Annotated[Path | None, Option(help="Output file of the scored CSV.", show_default="standard output")] = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON (two images only).")] = False,
    quiet: Quiet = False,
) -> None:
    """Print the probability that two images match, or score every pair of a CSV file."""
    images = images or []
    if len(images) != (2 if pairs is None else 0):
        raise SiameseError(
            f"score must be given two image files, or --pairs FILE.csv and no image; got {len(images)} image(s)"
            f" and {'no --pairs' if pairs is None else f'--pairs {pairs}'}"
        )
    if pairs is None and out is not None:
        raise SiameseError("--out must be omitted without --pairs; got two images. Omit it")
    if pairs is not None and as_json:
        raise SiameseError("--json must be omitted with --pairs, whose result is a CSV file; got both. Omit it")
    start_tensorflow()
    from siamese_tf.models.model_file import load_model

    loaded = load_model(model)
    if pairs is not None:
        _score_csv(loaded, pairs, out, quiet)
        return
    probability = loaded.score(*images)
    same = probability >= loaded.threshold
    if as_json:
        print(json.dumps({"probability": probability, "threshold": loaded.threshold, "same": same}))
    else:
        verdict = "same" if same else "different"
        print(f"probability {probability:.4f}  threshold {loaded.threshold:.4f}  verdict {verdict}")


def _score_csv(model: Any, pairs: Path, out: Path | None, quiet: bool) -> None:
    from rich.console import Console
    from rich.progress import track

    from siamese_tf.files import atomic_write, is_private
    from siamese_tf.inference.score_csv import score_csv
    from siamese_tf.training.progress import shows_bar

    console = Console(stderr=True)
    bar = not quiet and shows_bar(console)

    def progress(items: Iterable, description: str) -> Iterable:
        return track(items, description=description, console=console) if bar else items

    with atomic_write(out, "w", private=is_private(pairs)) if out is not None else nullcontext(sys.stdout) as file:
        summary = score_csv(model, pairs, file, progress)
    if not quiet:
        print_lines(*summary.lines(), file=sys.stderr)
