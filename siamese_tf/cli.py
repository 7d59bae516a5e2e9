"""The `siamese-tf` command, and the scripts at the top of the repository, which are its commands under other names.

Every error a user can cause ends in one message and exit code 2. TensorFlow is imported by the commands that need it.
"""

import json
import shlex
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from siamese_tf.console import run_command, start_tensorflow
from siamese_tf.errors import SiameseError
from siamese_tf.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
pairs_app = typer.Typer(help="Make pair files, and look into them.", no_args_is_help=True)
app.add_typer(pairs_app, name="pairs")

Dataset = Annotated[str, Option(help="mnist, fashion-mnist, digits, a folder of four IDX files, or auto.")]
DataDir = Annotated[str | None, Option(help="A folder with one folder per data set.", show_default="$SIAMESE_TF_DATA")]
Pairs = Annotated[str | None, Option(help="A pair file (.npz) with training and validation pairs.")]
TestPairs = Annotated[str | None, Option(help="A pair file with test pairs.", show_default="test_pairs.npz beside it")]
Model = Annotated[Path, Argument(help="A saved model (.keras).", show_default=False)]
Quiet = Annotated[bool, Option("--quiet", help="No progress bar and no report.")]


def _print_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, Option("--version", callback=_print_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Siamese networks for pairs of images: the higher the probability, the more alike."""


@app.command()
def train(
    objective: Annotated[str, Option(help="bce, mse or contrastive.")] = "contrastive",
    dataset: Dataset = "auto",
    data_dir: DataDir = None,
    pairs: Pairs = None,
    test_pairs: TestPairs = None,
    epochs: Annotated[int | None, Option(help="Passes over the pairs.", show_default="enough for 1,000 steps")] = None,
    batch_pairs: Annotated[int, Option(help="Pairs in a step.")] = 128,
    tower: Annotated[str, Option(help="small_cnn or reference.")] = "small_cnn",
    head: Annotated[str | None, Option(help="cosine, euclidean or concat.", show_default="the objective's")] = None,
    embedding_dim: Annotated[int | None, Option(help="Numbers in an embedding.", show_default="the tower's")] = None,
    margin: Annotated[float, Option(help="Of the contrastive loss.")] = 1.0,
    learning_rate: Annotated[float | None, Option(help="Of Adam at the start.", show_default="the tower's")] = None,
    pairs_per_step: Annotated[str, Option(help="all pairs among a step's images, or the listed ones.")] = "all",
    augment: Annotated[str, Option(help="auto, none, shift, flip or shift-flip.")] = "auto",
    seed: Annotated[int, Option(help="Of weights, batch order and augmentation.")] = 0,
    workdir: Annotated[Path | None, Option(help="Of the run.", show_default="runs/<dataset>/<objective>")] = None,
    resume: Annotated[bool, Option("--resume", help="Continue the run in the workdir.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train, keep the best validation checkpoint, calibrate, evaluate, and save."""
    from siamese_tf.config import TrainConfig

    config = TrainConfig(
        dataset=dataset,
        data_dir=data_dir,
        pairs=pairs,
        test_pairs=test_pairs,
        objective=objective,
        tower=tower,
        head=head,
        embedding_dim=embedding_dim,
        margin=margin,
        epochs=epochs,
        batch_pairs=batch_pairs,
        learning_rate=learning_rate,
        pairs_per_step=pairs_per_step,
        augment=augment,
        seed=seed,
    )
    start_tensorflow()
    import tensorflow as tf

    from siamese_tf.training.train import train_and_evaluate

    script = Path(sys.argv[0]).name
    arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
    command = shlex.join([*(["python"] if script.endswith(".py") else []), script, *arguments])
    try:
        train_and_evaluate(config, workdir, resume=resume, quiet=quiet, command=command)
    except KeyboardInterrupt:
        print("\nStopped. The same command with --resume continues after the last finished epoch.", file=sys.stderr)
        raise typer.Exit(130) from None
    except tf.errors.OpError as error:  # the TensorBoard log meets a full disk, or the network a full memory
        reason = error.message.split("}} ")[-1].split(" [Op:")[0].splitlines()[0]
        raise SiameseError(f"TensorFlow stopped: {reason}. Check disk and memory; go on with --resume") from error


@app.command()
def evaluate(
    model: Model,
    pairs: Pairs = None,
    test_pairs: TestPairs = None,
    dataset: Annotated[str | None, Option(help="mnist, fashion-mnist, digits, or a folder of IDX files.")] = None,
    data_dir: DataDir = None,
    out: Annotated[Path | None, Option(help="A folder for the report and the pictures.")] = None,
    as_json: Annotated[bool, Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Report what a saved model achieves on pairs, with its own threshold."""
    if (pairs is None) == (dataset is None):
        raise SiameseError(f"evaluate needs --pairs FILE or --dataset NAME; got {'both' if pairs else 'neither'}")
    start_tensorflow()
    from siamese_tf.data.open import open_pairs
    from siamese_tf.evaluation.evaluate import evaluate_model
    from siamese_tf.evaluation.report import report_table
    from siamese_tf.models.model_file import load_model

    loaded = load_model(model)
    opened = open_pairs(dataset or "auto", data_dir=data_dir, pairs=pairs, test_pairs=test_pairs)
    reports = evaluate_model(loaded, opened, out)
    print("\n".join(opened.lines()), file=sys.stderr if as_json else sys.stdout)
    print(json.dumps(reports, indent=2) if as_json else "\n".join(report_table(reports)))


@app.command()
def score(
    model: Model,
    images: Annotated[list[Path] | None, Argument(help="Two image files.", show_default=False)] = None,
    pairs: Annotated[Path | None, Option(help="A CSV file with the columns img1, img2[, similarity].")] = None,
    out: Annotated[Path | None, Option(help="Where the scored CSV goes.", show_default="standard output")] = None,
    as_json: Annotated[bool, Option("--json", help="For two images: print JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Say how probable it is that two images match, or do so for every pair of a CSV file."""
    images = images or []
    if len(images) != (2 if pairs is None else 0):
        raise SiameseError(
            f"score needs two image files, or --pairs FILE.csv and no image; got {len(images)} image(s)"
            f" and {'no --pairs' if pairs is None else f'--pairs {pairs}'}"
        )
    if (pairs is None and out is not None) or (pairs is not None and as_json):
        raise SiameseError("--out is for --pairs, and --json for two images: leave out the one that does not fit")
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


@pairs_app.command()
def generate(
    dataset: Dataset = "auto",
    data_dir: DataDir = None,
    out: Annotated[Path, Option(help="The folder that gets a folder for the data set.")] = Path("dataset"),
    train_pairs: Annotated[int | None, Option(help="Pairs to train on.", show_default="70,000, or fewer")] = None,
    validation_pairs: Annotated[int | None, Option(help="Pairs to choose by.", show_default="30,000, or fewer")] = None,
    test_pairs: Annotated[int | None, Option(help="Pairs to measure with.", show_default="50,000, or fewer")] = None,
    split: Annotated[str, Option(help="image, or class to keep whole classes apart.")] = "image",
    seed: Annotated[int, Option(help="Of every choice.")] = 0,
) -> None:
    """Write train_pairs.npz and test_pairs.npz of a data set."""
    from siamese_tf.data.generate import generate_pair_files

    made = generate_pair_files(
        dataset,
        out=out,
        data_dir=data_dir,
        train_pairs=train_pairs,
        validation_pairs=validation_pairs,
        test_pairs=test_pairs,
        split=split,
        seed=seed,
    )
    print("\n".join(made.lines()))


@pairs_app.command()
def check(files: Annotated[list[Path], Argument(help="Pair files, looked at together.")]) -> None:
    """Print the audit of pair files; exit code 1 where they leak."""
    from siamese_tf.data.audit import audit_pairs
    from siamese_tf.data.pair_file import load_pair_file

    audit = audit_pairs([load_pair_file(file) for file in files])
    print("\n".join(audit.lines()))
    if audit.leaks:
        raise typer.Exit(1)


def main() -> None:
    """The `siamese-tf` command."""
    run_command(app)


def train_script(objective: str) -> None:
    """The command `train` as a script of its own, with another default objective."""
    _run_alone(train, {"objective": objective})


def generate_script() -> None:
    """The command `pairs generate` as a script of its own."""
    _run_alone(generate, {})


def _run_alone(command: Callable[..., None], defaults: dict[str, Any]) -> None:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command()(command)
    run_command(lambda: typer.main.get_command(alone).main(default_map=defaults))


def _score_csv(model: Any, pairs: Path, out: Path | None, quiet: bool) -> None:
    from rich.console import Console
    from rich.progress import track

    from siamese_tf.files import atomic_write
    from siamese_tf.inference.score_csv import score_csv

    console = Console(stderr=True)

    def progress(items: Iterable, what: str) -> Iterable:
        return items if quiet else track(items, description=what, console=console)

    with atomic_write(out, "w") if out is not None else nullcontext(sys.stdout) as file:
        summary = score_csv(model, pairs, file, progress)
    if not quiet:
        print("\n".join(summary.lines()), file=sys.stderr)
