"""Embedding of the test images of a data set or of pair files, for plots and one-shot tests."""

from dataclasses import dataclass, field, replace
from typing import TextIO

import numpy as np

from siamese_tf.data.images.format import NATIVE_FORMAT
from siamese_tf.data.pairs.listed_pairs import is_list
from siamese_tf.data.pairs.load_pairs import load_pairs
from siamese_tf.data.pairs.one_vs_rest import class_label, labels_of
from siamese_tf.data.pairs.pair_file import TEST, PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
from siamese_tf.data.sources.load import format_for
from siamese_tf.errors import DatasetError, PairFileError
from siamese_tf.inference.embed_images import embed_images
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.printable import print_lines, printable, warn


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """Test images with their embeddings.

    Attributes:
        dataset: name of the data set.
        images: uint8, (n, height, width, channels).
        embeddings: float32, (n, embedding_dim), the output of the tower, not normalized.
        labels: int, (n,).
        class_names: name of each label; may be empty.
        focus: label of the class to show against the rest.
        private: True if only the owner may read pictures of the images.
        groups: int, (n,), the group of each image's class; None without groups.
        group_names: name of each group; may be empty.
    """

    dataset: str
    images: np.ndarray
    embeddings: np.ndarray
    labels: np.ndarray
    class_names: list[str]
    focus: int | None
    private: bool
    groups: np.ndarray | None = None
    group_names: list[str] = field(default_factory=list)

    def sample(self, count: int, seed: int) -> "EmbeddedImages":
        """Returns `count` of the images, drawn at random; all if there are fewer."""
        drawn = np.random.default_rng(seed).permutation(len(self.embeddings))[:count]
        names = ("images", "embeddings", "labels", *(() if self.groups is None else ("groups",)))
        return replace(self, **{name: getattr(self, name)[drawn] for name in names})


def embed_test_images(
    model: SiameseModel,
    dataset: str,
    *,
    data_dir: str | None = None,
    pairs: str | None = None,
    test_pairs: str | None = None,
    one_vs_rest: str | None = None,
    stream: TextIO | None = None,
) -> EmbeddedImages:
    """Loads the pairs of a data set or file, describes them on a stream, and embeds the images of the test pairs.

    Args:
        model: trained model.
        dataset, data_dir, pairs, test_pairs: arguments of `load_pairs`.
        one_vs_rest: name of the class for the `focus` of the result.
        stream: stream for the lines about the data; None means standard output.

    Raises:
        DatasetError: if there are no such data, or the images do not have the model's input size.
        PairFileError: if there are no test pairs, or no labels.
    """
    if pairs is None:
        image_format = format_for(dataset, model.image_format)
    else:
        image_format = model.image_format if is_list(pairs) else NATIVE_FORMAT
    loaded = load_pairs(dataset, data_dir=data_dir, pairs=pairs, test_pairs=test_pairs, image_format=image_format)
    print_lines(*loaded.lines(), file=stream)
    warn(*loaded.warning_lines())
    return _embed(model, loaded, one_vs_rest)


def _embed(model: SiameseModel, pairs: TrainTestPairs, one_vs_rest: str | None) -> EmbeddedImages:
    if pairs.test is None:
        raise PairFileError(f"{pairs.dataset} must have test pairs; got none. Name a file with --test-pairs")
    positions = pairs.test.images_of(TEST)
    labels = labels_of(pairs.test)[positions]
    focus = None if one_vs_rest is None else class_label(pairs.test, one_vs_rest)
    if focus is not None and focus not in labels:
        raise DatasetError(f"no test image is of class {one_vs_rest}. Choose another class, or other pairs")
    groups = pairs.test.groups
    images = pairs.test.images[positions]
    return EmbeddedImages(
        dataset=pairs.dataset,
        images=images,
        embeddings=embed_images(model, images, pairs.dataset),
        labels=labels,
        class_names=_names(pairs.test, "class_names"),
        focus=focus,
        private=pairs.test.private,
        groups=None if groups is None else groups[positions],
        group_names=_names(pairs.test, "group_names"),
    )


def _names(pairs: PairDataset, key: str) -> list[str]:
    """Returns the names in a list of the manifest, which may be of any type, ready for printing."""
    names = pairs.manifest.get(key)
    return [printable(str(name)) for name in names] if isinstance(names, list) else []
