"""The model file: a `.keras` zip of three members, written whole, and read without trusting a byte of it.

`load_model` never hands the file to a generic deserialiser: it checks the archive, reads the config against a list of
what may stand there, builds the network with this project's builders, and copies arrays by name and shape.
"""

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tensorflow import keras

from siamese_tf.config import VIEW_NAMES
from siamese_tf.data.image_form import RESIZES
from siamese_tf.errors import ModelFileError, SiameseError
from siamese_tf.files import atomic_write
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.weights import read_weights, write_weights

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MOST_BYTES = {CONFIG: 2**22, METADATA: 2**16, WEIGHTS: 2**30}
REGISTERED_NAME = "siamese_tf>SiameseModel"
CURE = "Only load model files that siamese_tf saved; train the model again, or copy the file again"


def save_model(model: SiameseModel, path: str | Path) -> None:
    """Writes a model as a `.keras` file, whole or not at all.

    Raises:
        ModelFileError: the name does not end in `.keras`.
    """
    if Path(path).suffix != ".keras":
        raise ModelFileError(f"a model file must be named *.keras; got {str(path)!r}")
    config = {
        "module": SiameseModel.__module__,
        "class_name": "SiameseModel",
        "config": model.get_config(),
        "registered_name": REGISTERED_NAME,
    }
    metadata = {"keras_version": version("keras"), "date_saved": datetime.now(UTC).strftime("%Y-%m-%d@%H:%M:%S")}
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        write_weights(model.tower, model.head, file.create_group("vars"))
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(CONFIG, json.dumps(config, allow_nan=False))
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(WEIGHTS, weights.getvalue())


def load_model(path: str | Path, tower: keras.Model | None = None) -> SiameseModel:
    """Reads a model file that `save_model` wrote, on this Keras or the other.

    Args:
        path: the `.keras` file; nothing in it is executed.
        tower: a model like the one it was trained with, for a file whose tower was its maker's own.

    Returns:
        The model, ready to score.

    Raises:
        ModelFileError: missing, damaged, not one of ours, or with anything in it that ours do not have.
    """
    try:
        members, digest = _read_members(Path(path))
        model = _build(_read_config(members[CONFIG]), tower)
        _read_arrays(model, members[WEIGHTS])
        model.file_sha256 = digest
    except OSError as error:
        raise ModelFileError(f"cannot read the model {path}: {error.strerror or error}. Check the path") from error
    except SiameseError as error:
        raise ModelFileError(f"{path} is not a model this version can load: {error}") from error
    except RecursionError as error:
        raise ModelFileError(f"{path} is not a model this version can load: {CONFIG} is nested too deep") from error
    return model


def _read_members(path: Path) -> tuple[dict[str, bytes], str]:
    """The members by name, and the SHA-256 of the whole file."""
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise ModelFileError(f"it is not a zip archive. {CURE}")
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                names = sorted(member.filename for member in members)
                if names != sorted(MOST_BYTES):
                    raise ModelFileError(
                        f"it must hold {', '.join(MOST_BYTES)} and nothing else; it holds {names!r:.200}. {CURE}"
                    )
                for member in members:
                    _check_member(member)
                found = {member.filename: archive.read(member) for member in members}
            file.seek(0)
            return found, hashlib.file_digest(file, "sha256").hexdigest()
        except SiameseError:
            raise
        except Exception as error:  # zipfile raises a dozen kinds on damaged bytes
            raise ModelFileError(f"the archive is damaged: {error}. {CURE}") from error


def _check_member(member: zipfile.ZipInfo) -> None:
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise ModelFileError(f"{member.filename} is compressed, which model files are not. {CURE}")
    most = MOST_BYTES[member.filename]
    if member.file_size > most:
        raise ModelFileError(f"{member.filename} has {member.file_size:,} bytes; at most {most:,} are read. {CURE}")


def _read_config(text: bytes) -> dict[str, Any]:
    try:
        outer = json.loads(text)
    except ValueError as error:
        raise ModelFileError(f"{CONFIG} is not JSON: {error}. {CURE}") from error
    if not isinstance(outer, dict) or outer.get("registered_name") != REGISTERED_NAME:
        found = outer.get("class_name") if isinstance(outer, dict) else type(outer).__name__
        raise ModelFileError(f"{CONFIG} must describe a SiameseModel; it describes {found!r:.100}. {CURE}")
    config = outer.get("config")
    expected = {"input_size", "tower", "embedding_dim", "head", "threshold", "record", "views", "resize"}
    if isinstance(config, dict):
        config = {"views": "one", "resize": "pad", **config}  # the first files had no such entries
    if not isinstance(config, dict) or set(config) != expected:
        raise ModelFileError(f"the config must have {sorted(expected)}; got {config!r:.200}. {CURE}")
    size = config["input_size"]
    for name, right in (
        ("input_size", isinstance(size, list) and len(size) == 3 and all(_whole(side, 1, 2048) for side in size)),
        ("tower", isinstance(config["tower"], str)),
        ("embedding_dim", _whole(config["embedding_dim"], 1, 4096)),
        ("head", isinstance(config["head"], str)),
        ("threshold", type(config["threshold"]) in (int, float) and 0 <= config["threshold"] <= 1),
        ("record", isinstance(config["record"], dict)),
        ("views", config["views"] in VIEW_NAMES),
        ("resize", config["resize"] in RESIZES),
    ):
        if not right:
            raise ModelFileError(f"{name} in the config cannot be {config[name]!r:.100}. {CURE}")
    return config


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _build(config: dict[str, Any], tower: keras.Model | None) -> SiameseModel:
    if tower is not None and config["tower"] != "custom":
        raise ModelFileError(f"its tower is {config['tower']!r}, which is built by name; leave the argument tower out")
    return SiameseModel(**{**config, "tower": tower or config["tower"]})


def _read_arrays(model: SiameseModel, data: bytes) -> None:
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            if list(file) != ["vars"]:
                raise ModelFileError(f"{WEIGHTS} must hold the group 'vars' alone. {CURE}")
            group = _inside(file, "vars", h5py.Group)
            arrays = {name: _plain_array(group, name) for name in group}
            if sum(array.nbytes for array in arrays.values()) > len(data):
                raise ModelFileError(f"{WEIGHTS} announces more numbers than it holds. {CURE}")
            read_weights(model.tower, model.head, {name: array[()] for name, array in arrays.items()})
    except SiameseError:
        raise
    except Exception as error:  # so does h5py
        raise ModelFileError(f"{WEIGHTS} is damaged: {error}. {CURE}") from error


def _plain_array(group: h5py.Group, name: str) -> h5py.Dataset:
    array = _inside(group, name, h5py.Dataset)
    plain = not (array.is_virtual or array.external or array.chunks)
    if not plain or array.dtype != np.float32 or array.nbytes > array.id.get_storage_size():
        raise ModelFileError(f"weight {name!r:.100} is not a plain float32 array. {CURE}")
    return array


def _inside(group: h5py.Group, name: str, kind: type) -> Any:
    """What stands under a name in this very file: a link can lead out of it."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink) or not isinstance(group[name], kind):
        raise ModelFileError(f"{name!r:.100} in {WEIGHTS} is not a plain {kind.__name__.lower()}. {CURE}")
    return group[name]
