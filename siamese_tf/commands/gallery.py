"""`siamese-tf gallery list`, `check` and `remove`, which need no model, and helpers of the other gallery commands."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from siamese_tf.commands.options import GalleryPath
from siamese_tf.console import start_tensorflow
from siamese_tf.errors import ConfigError
from siamese_tf.printable import printable

if TYPE_CHECKING:  # an import would load TensorFlow, which `gallery list` does not need
    from siamese_tf.models.siamese_model import SiameseModel

NO_DETECTION = "no presentation-attack detection: a photo of a face passes for the face"


def list_people(gallery: GalleryPath) -> None:
    """List the people of a gallery and the number of images of each."""
    from siamese_tf.inference.gallery import Gallery

    with Gallery.open(gallery) as people:
        names = people.names()
    for name, images in names.items():
        print(f"{images:6,}  {name}")
    print(count_pictures(names), file=sys.stderr)


def check_gallery(gallery: GalleryPath) -> None:
    """Check a whole gallery for damage: exit code 0 if it is intact, 2 if it is damaged."""
    from siamese_tf.inference.gallery import Gallery

    with Gallery.open(gallery) as people:
        names = people.check()
    print(f"{printable(str(gallery))} is intact. {count_pictures(names)}")


def remove(
    gallery: GalleryPath, name: Annotated[str, Argument(help="Name of the person.", show_default=False)]
) -> None:
    """Remove a person with all embeddings from a gallery; the file is rewritten without a trace of them."""
    from siamese_tf.inference.gallery import Gallery
    from siamese_tf.inference.gallery_names import normalize_name

    with Gallery.open(gallery) as people:
        removed = people.remove(name)
        names = people.names()
    shown, where = normalize_name(name), printable(str(gallery))
    print(f"removed {shown}, pictures: {removed:,}. Left in {where}: {count_pictures(names)}")


def count_pictures(names: dict[str, int]) -> str:
    """Returns the numbers of people and images of a gallery as text."""
    return f"people: {len(names):,}, pictures: {sum(names.values()):,}"


def print_unreadable(errors: Iterable[str | None], label: str) -> None:
    """Prints the errors of unreadable images on standard error; None stands for an image without an error."""
    for error in errors:
        if error is not None:
            print(printable(f"{label}: {error}"), file=sys.stderr)


def load_gallery_model(model: Path | None) -> "SiameseModel":
    """Loads the model of a gallery; the gallery does not store its path.

    Raises:
        ConfigError: no model was given.
        ModelFileError: the model cannot be read.
    """
    if model is None:
        raise ConfigError(
            "the gallery's model must be given; got none. Name the model with --model MODEL, or set SIAMESE_TF_MODEL"
        )
    start_tensorflow()
    from siamese_tf.models.model_file import load_model

    return load_model(model)
