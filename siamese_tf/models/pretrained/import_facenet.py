"""Import of the published FaceNet weights from a local file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from siamese_tf.errors import ModelFileError
from siamese_tf.files import open_regular
from siamese_tf.models.pretrained.assign import COUNTER, assign_state_dict
from siamese_tf.models.pretrained.state_dict import read_state_dict
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.parameter_counts import parameter_count

INPUT_SIZE = (160, 160, 3)
TOWER = "inception_resnet_v1"
CLASSIFIER = ("logits.weight", "logits.bias")  # not part of the tower
MAX_DIMENSIONS = 4096


def import_facenet(path: str | Path) -> SiameseModel:
    """Builds a model from the weights of facenet-pytorch's InceptionResnetV1.

    Args:
        path: file of its `state_dict`, see `read_state_dict`; the classification layer is ignored.

    Returns:
        A model for 160x160x3 face images with the head `cosine`, not calibrated: scores increase with the cosine
        similarity of two embeddings, and are 0.5 at a similarity of 0.5. Its record contains the name and SHA-256 of
        the file.

    Raises:
        ModelFileError: if the file cannot be read, or an array is missing or unknown, has the wrong shape, or has
            invalid values.
    """
    arrays = read_state_dict(path)
    last = arrays.get("last_linear.weight", np.empty((512, 0)))
    if last.ndim != 2 or not 1 <= len(last) <= MAX_DIMENSIONS:
        raise ModelFileError(
            f"{path}: last_linear.weight must have shape (d, 1792), d from 1 to {MAX_DIMENSIONS:,}; got {last.shape}"
        )
    _check_count(path, arrays, len(last))
    with open_regular(path) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    record = {"tower": TOWER, "imported": {"file": Path(path).name, "sha256": sha256}}
    model = SiameseModel(INPUT_SIZE, TOWER, len(last), head="cosine", record=record)
    try:
        assign_state_dict(model.tower, arrays, ignored=CLASSIFIER)
    except ModelFileError as error:
        raise ModelFileError(
            f"{path} does not hold the weights of facenet-pytorch's InceptionResnetV1: {error}"
        ) from error
    return model


def _check_count(path: str | Path, arrays: Mapping[str, np.ndarray], dimensions: int) -> None:
    """Rejects arrays with another number of values than the tower has, before the tower is built."""
    found = sum(array.size for name, array in arrays.items() if _is_of_tower(name))
    expected = parameter_count(TOWER, INPUT_SIZE, dimensions)
    if found != expected:
        raise ModelFileError(
            f"{path} does not hold the weights of facenet-pytorch's InceptionResnetV1: with {dimensions:,} dimensions"
            f" it must have {expected:,} weights; got {found:,}. Save model.state_dict()"
        )


def _is_of_tower(name: str) -> bool:
    return name not in CLASSIFIER and not name.endswith(COUNTER)
