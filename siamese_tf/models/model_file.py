"""Model file: a `.keras` zip archive of three members, written atomically and read without trusting its contents.

`load_model` never passes the file to a generic deserializer: it checks the archive, validates the config against a list
of allowed values, builds the network with this project's builders, and copies arrays by name and shape.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tensorflow import keras

from siamese_tf.config.catalog import CUSTOM, TOWERS
from siamese_tf.errors import ModelFileError, SiameseError
from siamese_tf.files import atomic_write, open_regular
from siamese_tf.models.model_archive import CONFIG, HINT, IDENTITY, METADATA, WEIGHTS, read_config, read_members
from siamese_tf.models.plain_arrays import GROUP, MAX_ARRAYS, read_plain_arrays
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.build import build_tower
from siamese_tf.models.towers.parameter_counts import parameter_count
from siamese_tf.models.weights import read_weights, write_weights
from siamese_tf.printable import printable


def save_model(model: SiameseModel, path: str | Path) -> None:
    """Writes a model as a `.keras` file, atomically.

    Raises:
        ModelFileError: if the name does not end in `.keras`, or `load_model` would reject the weights: a value is not
            finite or too large, a variance is negative, or the head's scale is not above 0.
    """
    if Path(path).suffix != ".keras":
        raise ModelFileError(f"a model file must be named *.keras; got {str(path)!r}")
    config = {
        **IDENTITY,
        "config": model.get_config(),
    }
    metadata = {"keras_version": version("keras"), "date_saved": datetime.now(UTC).strftime("%Y-%m-%d@%H:%M:%S")}
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        write_weights(model.tower, model.head, file.create_group(GROUP))
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(CONFIG, json.dumps(config, allow_nan=False))
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(WEIGHTS, weights.getvalue())


def load_model(path: str | Path, tower: keras.Model | None = None) -> SiameseModel:
    """Loads a model file written by `save_model` under Keras 2 or Keras 3.

    Args:
        path: the `.keras` file; nothing in it is executed.
        tower: for a file with a custom tower, a model with the architecture of that tower.

    Returns:
        The model, ready for inference.

    Raises:
        ModelFileError: if the file is missing, damaged, not written by siamese_tf, or has unexpected contents.
    """
    name = printable(str(path))
    try:
        with open_regular(path) as file:
            members = read_members(file)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        config = read_config(members[CONFIG])
        arrays = read_plain_arrays(members[WEIGHTS], max_arrays=_max_arrays(config, tower))
        model = _build(config, tower, arrays)
        read_weights(model.tower, model.head, arrays)
        model.file_sha256 = digest
    except OSError as error:
        raise ModelFileError(f"cannot read the model {name}: {error.strerror or error}. Check the path") from error
    except SiameseError as error:
        raise ModelFileError(f"{name} is not a model this version can load: {error}") from error
    except RecursionError as error:
        raise ModelFileError(f"{name} is not a model this version can load: {CONFIG} is nested too deeply") from error
    return model


def _max_arrays(config: dict[str, Any], tower: keras.Model | None) -> int:
    """Returns the maximum number of arrays in the file; a custom tower may have more than a built-in one."""
    if tower is None:
        return MAX_ARRAYS
    if config["tower"] != CUSTOM:
        raise ModelFileError(
            f"tower must be None for a file with a built-in tower; this file has {config['tower']!r}. Omit the argument"
        )
    height, width, channels = config["input_size"]
    return MAX_ARRAYS + len(build_tower(tower, (height, width, channels), config["embedding_dim"]).weights)


def _build(config: dict[str, Any], tower: keras.Model | None, arrays: Mapping[str, np.ndarray]) -> SiameseModel:
    """Builds the network if the number of weights matches: a small file must not cause a large tower to be built."""
    name = config["tower"]
    if name in TOWERS:
        expected = parameter_count(name, config["input_size"], config["embedding_dim"])
        found = sum(array.size for key, array in arrays.items() if key.startswith("tower."))
        if found != expected:
            raise ModelFileError(
                f"tower {name} must have {expected:,} weights for images of size {config['input_size']} and"
                f" {config['embedding_dim']} dimensions; the file has {found:,}. {HINT}"
            )
    return SiameseModel(**{**config, "tower": tower or name})
