"""Flags of `siamese-tf one-shot` for the episodes: drawn, read from a file, or published."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from siamese_tf.commands.embeddings import embed_given_images
from siamese_tf.config.checks import check_choice
from siamese_tf.config.data_config import DataConfig
from siamese_tf.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    import numpy as np

    from siamese_tf.inference.one_shot_test import OneShotTest
    from siamese_tf.models.siamese_model import SiameseModel

DEFAULTS = {"ways": 5, "shots": 1, "episodes": 1000}
DRAWN = (*DEFAULTS, "within", "write_episodes")
# Flags that are of no use beside another one, since it determines the episodes.
EXCLUDED = {
    "protocol": (*DRAWN, "episodes_from", "pairs", "test_pairs"),
    "episodes_from": DRAWN,
}


def _number(name: str, text: str) -> Any:
    return Annotated[int | None, Option(help=text, show_default=str(DEFAULTS[name]))]


Ways = _number("ways", "Number of classes per episode.")
Shots = _number("shots", "Number of support images per class.")
Count = _number("episodes", "Number of episodes.")
Within = Annotated[str | None, Option(help="Unit that all classes of an episode are drawn from: group.")]
ToFile = Annotated[Path | None, Option(help="File (.json) to write the drawn episodes to.")]
FromFile = Annotated[Path | None, Option(help="File of --write-episodes to read the episodes from.")]
OfProtocol = Annotated[
    str | None, Option(help="Published test: all-runs, the 400 trials of Lake et al. (with --dataset omniglot).")
]


def check_episode_flags(flags: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raises a ConfigError for a flag that is of no use beside another one.

    Args:
        flags: value of each flag of this module by its name in DRAWN and EXCLUDED; None if it was not typed.
        given: the typed settings of the data.
    """
    typed = {name: value for name, value in {**flags, **given}.items() if value is not None}
    for name, excluded in EXCLUDED.items():
        for other in excluded:
            if name in typed and other in typed:
                raise ConfigError(
                    f"{_flag(other)} must be omitted with {_flag(name)}, which determines the episodes; got"
                    f" {typed[other]}. Omit one of them"
                )


def load_test(
    model: "SiameseModel", flags: Mapping[str, Any], given: dict[str, Any], seed: int, as_json: bool
) -> "OneShotTest":
    """Returns the test that the flags describe, with the images embedded by a model.

    Args:
        model: trained model.
        flags, given: arguments that `check_episode_flags` accepts.
        seed: seed of the episodes to draw.
        as_json: if True, lines about the data go to standard error.

    Raises:
        SiameseError: if a flag has an invalid value, or the data or episodes cannot be read.
    """
    from siamese_tf.evaluation.episode_list import write_episodes
    from siamese_tf.evaluation.episodes import WITHIN, check_draw
    from siamese_tf.inference.one_shot_test import draw_test, read_test
    from siamese_tf.inference.published_test import load_published_test

    if flags["protocol"] is not None:
        data = DataConfig(**given)
        return load_published_test(model, flags["protocol"], data.dataset, data.data_dir)
    if flags["episodes_from"] is not None:
        return read_test(embed_given_images(model, given, as_json), flags["episodes_from"])
    ways, shots, count = (default if flags[name] is None else flags[name] for name, default in DEFAULTS.items())
    check_choice("within", flags["within"], WITHIN, optional=True)
    check_draw(ways, shots, count, seed)
    test = draw_test(embed_given_images(model, given, as_json), ways, shots, count, seed, flags["within"])
    if flags["write_episodes"] is not None:
        images = test.images
        write_episodes(flags["write_episodes"], test.episodes, images.images, images.dataset, test.within)
    return test


def embed_again(
    test: "OneShotTest", model: "SiameseModel", other: "SiameseModel", given: dict[str, Any], as_json: bool
) -> "np.ndarray":
    """Returns the embeddings of the images of a test by another model, (n, d) float32.

    Image files are prepared again if the models have different image formats.

    Args:
        test: result of `load_test` for `model`.
        model, other: trained models.
        given, as_json: arguments of `load_test`.

    Raises:
        DatasetError: if the images of the other model are not the same ones.
    """
    if test.prepares_images or other.image_format == model.image_format:
        return test.embed(other)
    again = embed_given_images(other, given, as_json)
    if again.labels.tolist() != test.images.labels.tolist():
        raise DatasetError(
            f"both models must have the same {len(test.images.labels):,} test images of {again.dataset}; got others in"
            f" the image format of the second, {other.image_format}. Use the protocol of a published test, or models"
            " of one image format"
        )
    return again.embeddings


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
