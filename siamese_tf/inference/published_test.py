"""A published one-shot test, with the images in the format of a model."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from siamese_tf.evaluation.protocols import PROTOCOLS, find_protocol
from siamese_tf.evaluation.trials import trial_report
from siamese_tf.inference.embed_images import embed_images
from siamese_tf.inference.embed_test_images import EmbeddedImages
from siamese_tf.inference.one_shot_test import OneShotTest
from siamese_tf.models.siamese_model import SiameseModel


@dataclass(frozen=True, eq=False, kw_only=True)
class PublishedTest(OneShotTest):
    """A published test.

    Attributes:
        protocol: key of `PROTOCOLS`.
        data_dir: folder with the data sets; None searches the default folders.
        runs: (episodes,) int64 from 0, the run of each trial.
        run_names: name of run k at position k.
    """

    prepares_images = True

    protocol: str
    data_dir: str | None
    runs: np.ndarray
    run_names: tuple[str, ...]

    @property
    def title(self) -> str:
        """Title of plots."""
        return f"{super().title}, {self.protocol}"

    def embed(self, model: SiameseModel) -> np.ndarray:
        """Returns the embeddings of the images by another model, in its own image format, (n, d) float32."""
        images = PROTOCOLS[self.protocol].load(self.data_dir, model.image_format).images
        return embed_images(model, images, self.images.dataset)

    def report(self, chosen: np.ndarray, logits: np.ndarray, seed: int) -> dict[str, Any]:
        """Returns the protocol and the `trial_report` of the chosen ways, (episodes,)."""
        report = trial_report(self.episodes, chosen, logits, self.runs, self.run_names, seed)
        return {"protocol": self.protocol, **report}


def load_published_test(model: SiameseModel, protocol: str, dataset: str, data_dir: str | None = None) -> PublishedTest:
    """Loads a published test and embeds its images.

    Args:
        model: trained model.
        protocol: key of `PROTOCOLS`.
        dataset: name of the data set, which must be that of the protocol.
        data_dir: folder with the data sets; None searches the default folders.

    Raises:
        ConfigError: if the protocol is unknown or of another data set.
        DatasetError: if the files are missing or damaged.
        ImageError: if an embedding is not finite, or all embeddings are zero.
    """
    trials = find_protocol(protocol, dataset).load(data_dir, model.image_format)
    images = EmbeddedImages(
        dataset=dataset,
        images=trials.images,
        embeddings=embed_images(model, trials.images, dataset),
        labels=trials.labels,
        class_names=list(trials.class_names),
        focus=None,
        private=False,
    )
    return PublishedTest(
        images=images,
        episodes=trials.episodes,
        protocol=protocol,
        data_dir=data_dir,
        runs=trials.runs,
        run_names=trials.run_names,
    )
