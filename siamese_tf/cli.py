"""The `siamese-tf` command, and the scripts in the root of the repository, which run its commands under other names.

The commands are in `siamese_tf/commands/` and import TensorFlow only when they need it. User errors end in one message
and exit code 2.
"""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer import Option

from siamese_tf.commands.anomalies import anomalies
from siamese_tf.commands.compare import compare
from siamese_tf.commands.duplicates import duplicates
from siamese_tf.commands.embeddings import embed, plot_embeddings
from siamese_tf.commands.enroll import enroll
from siamese_tf.commands.evaluate import evaluate
from siamese_tf.commands.faces import align
from siamese_tf.commands.gallery import check_gallery, list_people, remove
from siamese_tf.commands.identify import identify
from siamese_tf.commands.import_facenet import import_facenet
from siamese_tf.commands.one_shot import one_shot
from siamese_tf.commands.pairs import check, generate
from siamese_tf.commands.pretrained import pretrained
from siamese_tf.commands.recipes import recipes
from siamese_tf.commands.score import score
from siamese_tf.commands.train import train
from siamese_tf.commands.verify import verify
from siamese_tf.console import run_command
from siamese_tf.version import __version__

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(train)
app.command()(recipes)
app.command()(compare)
app.command()(evaluate)
app.command()(score)
app.command()(embed)
app.command("one-shot")(one_shot)
app.command()(enroll)
app.command()(verify)
app.command()(identify)
app.command()(duplicates)
app.command()(anomalies)
app.command()(pretrained)
app.command()(import_facenet)

gallery_app = typer.Typer(help="List, check and remove the enrolled people of a gallery.", no_args_is_help=True)
gallery_app.command("list")(list_people)
gallery_app.command("check")(check_gallery)
gallery_app.command()(remove)
app.add_typer(gallery_app, name="gallery")

faces_app = typer.Typer(help="Align the faces of images.", no_args_is_help=True)
faces_app.command()(align)
app.add_typer(faces_app, name="faces")

pairs_app = typer.Typer(help="Generate and audit pair files.", no_args_is_help=True)
pairs_app.command()(generate)
pairs_app.command()(check)
app.add_typer(pairs_app, name="pairs")

plot_app = typer.Typer(help="Plot what a saved model has learned.", no_args_is_help=True)
plot_app.command("embeddings")(plot_embeddings)
app.add_typer(plot_app, name="plot")


def _print_version(requested: bool) -> None:
    if requested:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Siamese networks for pairs of images; a higher probability means more similar."""


def main() -> None:
    """Runs the `siamese-tf` command."""
    run_command(app)


def train_script(objective: str) -> None:
    """Runs `train` as a script, with another default objective."""
    _run_alone(train, {"objective": objective})


def generate_script() -> None:
    """Runs `pairs generate` as a script."""
    _run_alone(generate, {})


def _run_alone(command: Callable[..., None], defaults: dict[str, Any]) -> None:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command()(command)
    run_command(lambda: typer.main.get_command(alone).main(default_map=defaults))
