"""`siamese-tf gallery list`, `check` and `remove`, which need no model; and what the other commands share."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from siamese_tf.commands.options import GalleryPath
from siamese_tf.console import start_tensorflow
from siamese_tf.errors import ConfigError
from siamese_tf.printable import printable

if TYPE_CHECKING:  # neither `siamese-tf --help` nor `gallery list` waits for it
    from siamese_tf.models.siamese_model import SiameseModel

NO_DETECTION = "no presentation-attack detection: a photo of a face passes for the face"


def list_people(gallery: GalleryPath) -> None:
    """List the people of a gallery, and how many pictures each has."""
    from siamese_tf.inference.gallery import Gallery

    with Gallery.open(gallery) as opened:
        names = opened.names()
    for name, pictures in names.items():
        print(f"{pictures:6,}  {name}")
    print(count_pictures(names), file=sys.stderr)


def check_gallery(gallery: GalleryPath) -> None:
    """Check a whole gallery for damage: exit code 0 sound, 2 damaged."""
    from siamese_tf.inference.gallery import Gallery

    with Gallery.open(gallery) as opened:
        names = opened.check()
    print(f"{printable(str(gallery))} is sound. {count_pictures(names)}")


def remove(gallery: GalleryPath, name: Annotated[str, Argument(help="The person.", show_default=False)]) -> None:
    """Remove a person from a gallery, with all pictures; the file is written anew without them."""
    from siamese_tf.inference.gallery import Gallery
    from siamese_tf.inference.gallery_names import normalize_name

    with Gallery.open(gallery) as opened:
        removed = opened.remove(name)
        names = opened.names()
    shown, where = normalize_name(name), printable(str(gallery))
    print(f"removed {shown}, pictures: {removed:,}. Left in {where}: {count_pictures(names)}")


def count_pictures(names: dict[str, int]) -> str:
    """How much a gallery holds, in words."""
    return f"people: {len(names):,}, pictures: {sum(names.values()):,}"


def print_unreadable(errors: Iterable[str | None], label: str) -> None:
    """Prints on standard error why images could not be read; None stands for one that could."""
    for error in errors:
        if error is not None:
            print(printable(f"{label}: {error}"), file=sys.stderr)


def load_gallery_model(model: Path | None) -> "SiameseModel":
    """The model of a gallery, whose file the gallery does not know.

    Raises:
        ConfigError: no model was named.
        ModelFileError: it cannot be read.
    """
    if model is None:
        raise ConfigError(
            "a gallery does not remember where its model is. Name the model with --model MODEL, or set SIAMESE_TF_MODEL"
        )
    start_tensorflow()
    from siamese_tf.models.model_file import load_model

    return load_model(model)
