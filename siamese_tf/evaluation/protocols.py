"""Published one-shot tests by name; to add one, write its loader and add its row."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from siamese_tf.config.checks import check_choice
from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.sources.omniglot_files import NAME as OMNIGLOT
from siamese_tf.data.sources.omniglot_runs import load_omniglot_runs
from siamese_tf.errors import ConfigError
from siamese_tf.evaluation.episodes import Episodes


@dataclass(frozen=True, eq=False)
class Trials:
    """A published list of trials in runs.

    Attributes:
        images: (n, h, w, c) uint8, 0 to 255.
        labels: (n,) int64, the class of each image.
        class_names: name of label k at position k.
        episodes: the trials.
        runs: (episodes,) int64 from 0, the run of each trial.
        run_names: name of run k at position k.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    episodes: Episodes
    runs: np.ndarray
    run_names: tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """A published test.

    Attributes:
        dataset: name of the data set that it is part of.
        load: function of the folder with the data sets, or None for the default ones, and of an image format that
            returns the trials with the images in that format.
    """

    dataset: str
    load: Callable[[str | None, ImageFormat], Trials]


def load_all_runs(data_dir: str | None, image_format: ImageFormat) -> Trials:
    """Loads the 20 runs of 20 trials, 20-way 1-shot, of Lake et al., see `load_omniglot_runs`."""
    found = load_omniglot_runs(data_dir, image_format)
    runs, ways = found.support.shape
    return Trials(
        images=found.images,
        labels=found.labels,
        class_names=found.class_names,
        episodes=Episodes(
            support=np.repeat(found.support, ways, axis=0)[..., np.newaxis],
            query=found.query.ravel(),
            target=found.target.ravel(),
        ),
        runs=np.repeat(np.arange(runs), ways),
        run_names=found.run_names,
    )


PROTOCOLS = {"all-runs": Protocol(dataset=OMNIGLOT, load=load_all_runs)}


def find_protocol(name: str, dataset: str) -> Protocol:
    """Returns a row of `PROTOCOLS`.

    Args:
        name: its key.
        dataset: name of the data set, which must be that of the protocol.

    Raises:
        ConfigError: if the protocol is unknown or of another data set.
    """
    check_choice("protocol", name, PROTOCOLS)
    found = PROTOCOLS[name]
    if dataset != found.dataset:
        raise ConfigError(f"the data set of the protocol {name} must be {found.dataset}; got {dataset}. Name that one")
    return found
