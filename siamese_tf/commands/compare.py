"""`siamese-tf compare`."""

import json
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Option

from siamese_tf.commands.interruption import interruption_handler
from siamese_tf.commands.options import Color, DataDir, Dataset, Images, ImageSize, Pairs, Resize, TestPairs
from siamese_tf.console import start_tensorflow
from siamese_tf.printable import print_lines


def compare(
    dataset: Dataset = "auto",
    data_dir: DataDir = None,
    pairs: Pairs = None,
    test_pairs: TestPairs = None,
    images: Images = None,
    image_size: ImageSize = None,
    color: Color = None,
    resize: Resize = "pad",
    objectives: Annotated[str, Option(help="With commas between them.")] = "bce,mse,contrastive,triplet",
    seeds: Annotated[int, Option(help="Runs of each objective, with the seeds 0, 1, and so on.")] = 5,
    recipe: Annotated[str, Option(help="One that siamese-tf recipes lists.")] = "quick",
    tower: Annotated[str | None, Option(help="As for siamese-tf train.", show_default="the recipe's")] = None,
    epochs: Annotated[int | None, Option(help="Passes over the pairs.", show_default="the recipe's")] = None,
    precision: Annotated[str | None, Option(help="float32 or bfloat16.", show_default="the recipe's")] = None,
    workdir: Annotated[Path | None, Option(help="Of all runs.", show_default="runs/<dataset>/compare")] = None,
    as_json: Annotated[bool, Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Train several objectives with the same pairs, tower and budget, and tell what differs from what is noise.

    The same command goes on with a comparison that was stopped.
    """
    from siamese_tf.config.recipes import config_from

    given = {
        "dataset": dataset,
        "data_dir": data_dir,
        "pairs": pairs,
        "test_pairs": test_pairs,
        "images": images,
        "image_size": image_size,
        "color": color,
        "resize": resize,
        "tower": tower,
        "epochs": epochs,
        "precision": precision,
    }
    given = {name: value for name, value in given.items() if value is not None}
    configs = [config_from(recipe, {**given, "objective": name.strip()}) for name in objectives.split(",")]
    start_tensorflow()
    from siamese_tf.evaluation.comparison import comparison_lines
    from siamese_tf.experiments.compare import compare_objectives

    log = partial(print_lines, file=sys.stderr if as_json else sys.stdout)
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    with interruption_handler("The same command goes on after the last finished epoch."):
        comparison = compare_objectives(configs, seeds, workdir, command=command, log=log)
    if as_json:
        print(json.dumps(comparison, indent=2))
    else:
        print_lines("", *comparison_lines(comparison))
