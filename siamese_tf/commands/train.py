"""`siamese-tf train`, which is `main1.py` to `main3.py`, too."""

import shlex
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

from siamese_tf.commands.interruption import interruption_handler
from siamese_tf.commands.options import (
    Color,
    DataDir,
    Dataset,
    Images,
    ImageSize,
    OneVsRest,
    Pairs,
    Quiet,
    Resize,
    RestIsAClass,
    TestPairs,
)
from siamese_tf.config.catalog import TOWER_NAMES
from siamese_tf.console import start_tensorflow
from siamese_tf.printable import print_lines

if TYPE_CHECKING:  # `siamese-tf --help` does not wait for it
    from siamese_tf.config.train_config import TrainConfig


def train(
    context: typer.Context,
    objective: Annotated[str, Option(help="bce, mse, contrastive or triplet.")] = "contrastive",
    dataset: Dataset = "auto",
    data_dir: DataDir = None,
    pairs: Pairs = None,
    test_pairs: TestPairs = None,
    images: Images = None,
    image_size: ImageSize = None,
    color: Color = None,
    resize: Resize = "pad",
    recipe: Annotated[str, Option(help="One that siamese-tf recipes lists; other flags override it.")] = "quick",
    one_vs_rest: OneVsRest = None,
    rest_is_a_class: RestIsAClass = False,
    epochs: Annotated[int | None, Option(help="Passes over the data.", show_default="what shows that many")] = None,
    images_shown: Annotated[int, Option(help="In all steps together, where --epochs says nothing.")] = 256_000,
    batch_pairs: Annotated[int, Option(help="Pairs in a step; of triplets, images.")] = 128,
    tower: Annotated[str, Option(help=f"{', '.join(TOWER_NAMES[:-1])} or {TOWER_NAMES[-1]}.")] = "small_cnn",
    head: Annotated[str | None, Option(help="cosine, euclidean or concat.", show_default="the objective's")] = None,
    embedding_dim: Annotated[int | None, Option(help="Numbers in an embedding.", show_default="the tower's")] = None,
    margin: Annotated[str | None, Option(help="A distance, or soft (triplet).", show_default="the objective's")] = None,
    mining: Annotated[str, Option(help="Which triplets count: semi-hard, hard or all.")] = "semi-hard",
    losses: Annotated[str | None, Option(help="Of triplets: addons or native.", show_default="addons if there")] = None,
    classes_per_batch: Annotated[int | None, Option(help="Of triplets.", show_default="16 (hard 32, all 8)")] = None,
    images_per_class: Annotated[
        int | None, Option(help="Of triplets.", show_default="batch pairs / classes (hard: a quarter)")
    ] = None,
    optimizer: Annotated[str, Option(help="adam (AdamW with --weight-decay), or sgd with momentum.")] = "adam",
    learning_rate: Annotated[float | None, Option(help="At its height.", show_default="the tower's")] = None,
    schedule: Annotated[str, Option(help="Of the learning rate: cosine, step, plateau or constant.")] = "cosine",
    weight_decay: Annotated[float, Option(help="Share of each kernel, times the learning rate, a step takes.")] = 0.0,
    l2: Annotated[float, Option(help="Weight of the kernels' squares in the loss.")] = 0.0,
    start_from: Annotated[str | None, Option(help="A model (.keras), or ImageNet weights (.h5).")] = None,
    train_last: Annotated[
        int | None, Option(help="Layers or blocks of the tower to train.", show_default="all")
    ] = None,
    layer_decay: Annotated[float | None, Option(help="Of the rate, from a layer or block to the one before.")] = None,
    whiten: Annotated[
        bool | None,
        Option("--whiten/--no-whiten", help="Solve for the tower's last layer at the end.", show_default="the tower's"),
    ] = None,
    pairs_per_step: Annotated[str, Option(help="all pairs among a step's images, or the listed ones.")] = "all",
    average: Annotated[float, Option(help="Decay of the moving average of the weights, which is kept.")] = 0.99,
    augment: Annotated[
        str, Option(help="auto, light, strong, none, or of flip-vflip-color-affine-shift-erase.")
    ] = "auto",
    views: Annotated[
        str, Option(help="Of an image, embedded as their mean: one, mirror, turn, shift or auto.")
    ] = "one",
    precision: Annotated[str, Option(help="float32, or bfloat16 where the processor is faster in it.")] = "float32",
    seed: Annotated[int, Option(help="Of weights, batch order and augmentation.")] = 0,
    folds: Annotated[
        int | None, Option(help="Train a model for each of so many folds of the people.", show_default="one model")
    ] = None,
    workdir: Annotated[Path | None, Option(help="Of the run.", show_default="runs/<dataset>/<objective>")] = None,
    resume: Annotated[bool, Option("--resume", help="Continue the run in the workdir.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train, keep the best validation checkpoint, calibrate, evaluate, and save."""
    from siamese_tf.config.recipes import config_from

    config = config_from(recipe, _given(context))
    if resume:
        _check_resumable(config, workdir, folds)
    start_tensorflow()

    from siamese_tf.experiments.folds import fold_lines, train_folds
    from siamese_tf.training.train import train_and_evaluate

    script = Path(sys.argv[0]).name
    arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
    command = shlex.join([*(["python"] if script.endswith(".py") else []), script, *arguments])
    with interruption_handler("The same command with --resume continues after the last finished epoch."):
        if folds is None:
            train_and_evaluate(config, workdir, resume=resume, quiet=quiet, command=command)
        else:
            report = train_folds(config, folds, workdir, resume=resume, quiet=quiet, command=command)
            print_lines("", *fold_lines(report))


def _check_resumable(config: "TrainConfig", workdir: Path | None, folds: int | None) -> None:
    """Refuses to resume what was not begun, before TensorFlow is loaded."""
    from siamese_tf.training.checkpoint import check_resumable
    from siamese_tf.training.workdir import expected_workdir

    run = config.objective if folds is None else f"{config.objective}-folds"
    if expected := workdir or expected_workdir(config, run):
        check_resumable(expected, folds)


def _given(context: typer.Context) -> dict[str, Any]:
    """The settings that were typed, or that the script stands for: those go before a recipe's."""
    from siamese_tf.config.train_config import TrainConfig

    given = {}
    for name in (field.name for field in fields(TrainConfig)):
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            given[name] = context.params[name]
    if "margin" in given:
        given["margin"] = _margin(given["margin"])
    return given


def _margin(text: str) -> float | str:
    """A number where the text is one; what else it may be, TrainConfig says."""
    try:
        return float(text)
    except ValueError:
        return text
