"""The kinds of rows that `siamese_tf.config.catalog` holds.

Functions and classes are named as `"module:name"` (see `load_builder`), so that reading the catalog loads no
TensorFlow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class TowerDefaults:
    """Settings of a tower that a config leaves open.

    Attributes:
        embedding_dim: size of an embedding.
        learning_rate: peak learning rate, for Adam.
        augments: `augment="auto"` changes the training images.
        whitens: the last layer is set to a whitening one where the classes are known and the head normalizes.
    """

    embedding_dim: int = 128
    learning_rate: float = 6e-3
    augments: bool = True
    whitens: bool = False


@dataclass(frozen=True, kw_only=True)
class Tower(TowerDefaults):
    """A network from an image to an embedding.

    Attributes:
        builder: function of (input_size, embedding_dim) that returns a `keras.Model` from (n, h, w, c) float32 images
            in [0, 1] to (n, embedding_dim) float32 embeddings.
        parameters: function of (input_size, embedding_dim) that returns the number of values in the tower's weights,
            moving statistics included, without building it; a model file must hold as many.
        logs_parameters: a run logs that number, which depends strongly on the size of the images.
    """

    builder: str
    parameters: str
    logs_parameters: bool = False


@dataclass(frozen=True, kw_only=True)
class Head:
    """A layer from two embeddings to a distance and a logit.

    Attributes:
        builder: subclass of `siamese_tf.models.heads.Head`, made from the embedding size.
        normalizes: embeddings are compared after L2 normalization, and the distance depends on them alone; whitening
            needs it.
        triplet_metric: name of its distance among the triplet losses, `L2` or `angular`; None where it has none.
    """

    builder: str
    normalizes: bool = True
    triplet_metric: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClassBatch:
    """Default shape of a batch of classes.

    Attributes:
        classes: P where the data set, or a group of a batch drawn within groups, has at least as many classes.
        images: K.
        groups: E for batches drawn within groups.
    """

    classes: int
    images: int
    groups: int = 3


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A loss, and what it needs from the batches and the head.

    Attributes:
        loss: function named `"module:name"`. With `reads` `distance` or `logit`, it takes (similarity, values) of equal
            shape, plus the margin where the row has `margins`, and returns one loss per pair. With `reads`
            `logit matrix`, it takes (n,) labels and the (n, n) logits of all pairs, and returns a scalar. With `reads`
            `embeddings`, it takes the resolved config and returns a function of (labels, embeddings) to a scalar.
        reads: `distance` (lower is more similar) or `logit` (higher is more similar) of the head; `logit matrix`,
            the logits of all pairs within each part of a batch, with the labels of their classes; or `embeddings`:
            L2-normalized embeddings with the labels of their classes.
        head: default head.
        heads: allowed heads.
        step: class that computes the metrics of a training step, made from (config, head); None takes the one for
            `reads`, see `siamese_tf.training.objectives`.
        batches: `pairs`, batches of listed pairs; or `classes`, batches of K images of each of P classes, which need
            labels.
        batch: default shape of batches of classes; None takes that of the mining.
        scale: initial scale of the head, the factor of a distance in the logit; None keeps that of the head.
        margins: default margin per head; empty for a loss without a margin.
        soft_margin: the margin may be `soft`.
        settings: fields of `TrainConfig` that only objectives which list them here accept.
        reports_embeddings: the record holds metrics of the embeddings of the test images, not of pairs alone.
        monitors_collapse: a run warns when all embeddings have collapsed to one point; the step must report
            `negative_distance`.
        record: function of (config, run data) that returns what `record.json` holds under the objective's name; None
            adds nothing.
    """

    loss: str
    reads: Literal["distance", "logit", "logit matrix", "embeddings"]
    head: str
    heads: tuple[str, ...] = ("cosine", "euclidean", "concat", "weighted_l1")
    step: str | None = None
    batches: Literal["pairs", "classes"] = "pairs"
    batch: ClassBatch | None = None
    scale: float | None = None
    margins: Mapping[str, float] = field(default_factory=dict)
    soft_margin: bool = False
    settings: tuple[str, ...] = ()
    reports_embeddings: bool = False
    monitors_collapse: bool = False
    record: str | None = None


@dataclass(frozen=True, kw_only=True)
class Mining:
    """Default shape of a batch for one way to select triplets.

    Attributes:
        max_classes: P where the data set has at least as many classes.
        images_divisor: divides K.
        min_images: lower limit of K.
    """

    max_classes: int
    images_divisor: int = 1
    min_images: int = 2


@dataclass(frozen=True, kw_only=True)
class View:
    """Images whose embeddings are averaged, in place of one image: test-time augmentation.

    Attributes:
        function: function of (n, h, w, c) images in [0, 1] that returns a list of such stacks, the images first.
        taught_by: the augmentation that makes `views="auto"` choose this view.
    """

    function: str
    taught_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """A random change of training images.

    Attributes:
        function: function of (images, seed): (n, h, w, c) floats in [0, 1] and (2,) int32; returns changed images of
            the same shape and dtype.
    """

    function: str


@dataclass(frozen=True, kw_only=True)
class DatasetDefaults:
    """Augmentations that keep what the images of a data set show.

    Attributes:
        augment: the names of augmentations, joined by hyphens, for each of `auto`, `light` and `strong`.
    """

    augment: Mapping[str, str]
