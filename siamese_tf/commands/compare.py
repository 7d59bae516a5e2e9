"""`siamese-tf compare`."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from siamese_tf.commands.command_line import command_line
from siamese_tf.commands.interruption import interruption_handler
from siamese_tf.commands.options import AsJson
from siamese_tf.commands.setting_flags import with_settings
from siamese_tf.config.data_config import IMAGE_FORMAT
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.console import start_tensorflow
from siamese_tf.printable import print_lines

DATA = ("dataset", "data_dir", "pairs", "test_pairs", "images", *IMAGE_FORMAT)
OF_RECIPE = ("tower", "epochs", "precision")


@with_settings(TrainConfig, (*DATA, *OF_RECIPE), show_default=dict.fromkeys(OF_RECIPE, "the recipe's"))
def compare(
    given: dict[str, Any],
    objectives: Annotated[str, Option(help="Objectives to compare, separated by commas.")] = (
        "bce,mse,contrastive,triplet"
    ),
    seeds: Annotated[int, Option(help="Number of runs of each objective, with the seeds 0, 1, and so on.")] = 5,
    recipe: Annotated[
        str, Option(help="Named settings (see siamese-tf recipes); other flags override them.")
    ] = "quick",
    workdir: Annotated[Path | None, Option(help="Folder of all runs.", show_default="runs/<dataset>/compare")] = None,
    as_json: AsJson = False,
) -> None:
    """Train several objectives on the same pairs, with the same tower and budget, and test which differences are noise.

    The same command resumes a comparison that was stopped.
    """
    from siamese_tf.config.recipes import config_from

    configs = [config_from(recipe, {**given, "objective": name.strip()}) for name in objectives.split(",")]
    start_tensorflow()
    from siamese_tf.evaluation.comparison import comparison_lines
    from siamese_tf.experiments.compare import compare_objectives

    log = partial(print_lines, file=sys.stderr if as_json else sys.stdout)
    with interruption_handler("The same command continues after the last finished epoch."):
        comparison = compare_objectives(configs, seeds, workdir, command=command_line(), log=log)
    if as_json:
        print(json.dumps(comparison, indent=2))
    else:
        print_lines("", *comparison_lines(comparison))
