"""A one-shot test: images, and the episodes to classify with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siamese_tf.errors import DatasetError
from siamese_tf.evaluation.episode_list import read_episodes
from siamese_tf.evaluation.episodes import Episodes, check_classes, draw_episodes
from siamese_tf.evaluation.one_shot import one_shot_report, paired_difference
from siamese_tf.inference.embed_images import embed_images
from siamese_tf.inference.embed_test_images import EmbeddedImages
from siamese_tf.models.siamese_model import SiameseModel


@dataclass(frozen=True, eq=False)
class OneShotTest:
    """Images, and the episodes to classify with them.

    Attributes:
        images: the images with the embeddings of the tested model.
        episodes: episodes of these images.
        within: `"group"` if the classes of every episode are of one group; else None.
        prepares_images: True if `embed` prepares the images in the format of the model.
    """

    prepares_images = False  # of the class, not a field

    images: EmbeddedImages
    episodes: Episodes
    within: str | None = None

    @property
    def title(self) -> str:
        """Title of plots."""
        _, ways, shots = self.episodes.support.shape
        within = f", within {self.within}" if self.within else ""
        return f"{self.images.dataset}, {ways}-way {shots}-shot{within}"

    @property
    def groups(self) -> np.ndarray | None:
        """The group of each image's class, (n,) int64, for episodes within groups; else None."""
        return groups_within(self.images, self.within)

    def embed(self, model: SiameseModel) -> np.ndarray:
        """Returns the embeddings of the images by another model, (n, d) float32."""
        return embed_images(model, self.images.images, self.images.dataset)

    def report(self, chosen: np.ndarray, logits: np.ndarray, seed: int) -> dict[str, Any]:
        """Returns the report of a model.

        Args:
            chosen: (episodes,) the chosen way of each episode.
            logits: (episodes, ways), higher is more similar.
            seed: seed of what the report draws.
        """
        report = one_shot_report(self.images.labels, self.episodes, chosen, self.groups, self.images.group_names)
        return report if self.within is None else {"within": self.within, **report}

    def difference(self, chosen: np.ndarray, other: np.ndarray) -> dict[str, float | list[float]]:
        """Returns the `paired_difference` of the ways chosen by two models, (episodes,) each."""
        clusters = self.images.labels if self.groups is None else self.groups
        return paired_difference(clusters, self.episodes, chosen, other)


def draw_test(
    images: EmbeddedImages, ways: int, shots: int, count: int, seed: int, within: str | None = None
) -> OneShotTest:
    """Draws the episodes of a test.

    Args:
        images: the images to draw from.
        ways, shots, count, seed: arguments of `draw_episodes`.
        within: `"group"` draws the classes of an episode from one group; None draws them from all.

    Raises:
        ConfigError: if a number is out of range.
        DatasetError: if there are too few classes, or no groups to draw within.
    """
    groups = groups_within(images, within)
    return OneShotTest(images, draw_episodes(images.labels, ways, shots, count, seed, groups), within)


def read_test(images: EmbeddedImages, path: Path) -> OneShotTest:
    """Reads the episodes of a test from a file.

    Args:
        images: the images that the episodes must be of.
        path: file of `write_episodes`.

    Raises:
        DatasetError: if the file is missing, damaged or of other images, or their classes are other ones.
        ConfigError: if an episode points outside the images.
    """
    episodes, within = read_episodes(path, images.images)
    check_classes(episodes, images.labels, groups_within(images, within))
    return OneShotTest(images, episodes, within)


def groups_within(images: EmbeddedImages, within: str | None) -> np.ndarray | None:
    """Returns the groups of the images for episodes within groups; None for other episodes.

    Raises:
        DatasetError: if the images have no groups.
    """
    if within is None:
        return None
    if images.groups is None:
        raise DatasetError(
            f"the images of {images.dataset} must have groups for episodes within a group; got none. Omit --within, or"
            " use data with groups of classes"
        )
    return images.groups
