"""`siamese-tf train`, also run by `main1.py` to `main3.py`."""

from pathlib import Path
from typing import Annotated, Any

from typer import Option

from siamese_tf.commands.command_line import command_line
from siamese_tf.commands.interruption import interruption_handler
from siamese_tf.commands.options import Quiet
from siamese_tf.commands.setting_flags import with_settings
from siamese_tf.config.settings import TRAINING
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.console import start_tensorflow
from siamese_tf.printable import print_lines


@with_settings(TrainConfig)
def train(
    given: dict[str, Any],
    recipe: Annotated[
        str, Option(help="Named settings (see siamese-tf recipes); other flags override them.")
    ] = "quick",
    workdir: Annotated[
        Path | None, Option(help="Folder of the run.", show_default="runs/<dataset>/<objective>")
    ] = None,
    resume: Annotated[bool, Option("--resume", help="Continue the run in the workdir.")] = False,
    quiet: Quiet = False,
    folds: Annotated[
        int | None,
        Option(
            help="Number of folds of the people; a model is trained for each.",
            show_default="one model",
            rich_help_panel=TRAINING,
        ),
    ] = None,
) -> None:
    """Train a model, keep its best checkpoint on the validation pairs, calibrate, evaluate and save it."""
    from siamese_tf.config.recipes import config_from

    config = config_from(recipe, given)
    if resume:
        _check_resumable(config, workdir, folds)
    start_tensorflow()

    from siamese_tf.experiments.folds import fold_lines, train_folds
    from siamese_tf.training.train import train_and_evaluate

    with interruption_handler("The same command with --resume continues after the last finished epoch."):
        if folds is None:
            train_and_evaluate(config, workdir, resume=resume, quiet=quiet, command=command_line())
        else:
            report = train_folds(config, folds, workdir, resume=resume, quiet=quiet, command=command_line())
            print_lines("", *fold_lines(report))


def _check_resumable(config: TrainConfig, workdir: Path | None, folds: int | None) -> None:
    """Raises a ConfigError if there is no run to resume, before TensorFlow is loaded."""
    from siamese_tf.training.checkpoint import check_resumable
    from siamese_tf.training.workdir import expected_workdir

    run = config.objective if folds is None else f"{config.objective}-folds"
    if expected := workdir or expected_workdir(config, run):
        check_resumable(expected, folds)
