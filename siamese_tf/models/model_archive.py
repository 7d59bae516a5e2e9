"""Archive of a model file: members and config, checked before a model is built from them."""

import json
import zipfile
from collections.abc import Mapping
from typing import IO, Any

from siamese_tf.config.catalog import VIEWS
from siamese_tf.data.images.format import CENTERS, RESIZES
from siamese_tf.errors import ModelFileError
from siamese_tf.printable import short_reason
from siamese_tf.zip_layout import ZipLayoutError, check_layout

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MAX_BYTES = {CONFIG: 2**20, METADATA: 2**16, WEIGHTS: 2**30}
MAX_MEMBERS = 16  # more than the three required, so that the message can name unexpected members
IDENTITY = {
    "module": "siamese_tf.models.siamese_model",
    "class_name": "SiameseModel",
    "registered_name": "siamese_tf>SiameseModel",
}
# Keras writes the last two for a model that was called or compiled; they are ignored.
OUTER_KEYS = {*IDENTITY, "config", "build_config", "compile_config"}
HINT = "Only load model files saved by siamese_tf; train the model again, or copy the file again"

# Entries that the first files do not have, and their values then.
ADDED = {"views": "one", "resize": "pad", "invert": False, "center": None}


def read_members(file: IO[bytes]) -> dict[str, bytes]:
    """Reads the three members of a model file.

    Args:
        file: binary file, open for reading at position 0.

    Returns:
        Content of each member by name.

    Raises:
        ModelFileError: if the archive is damaged or has other members.
    """
    if file.read(4) != b"PK\x03\x04":
        raise ModelFileError(f"it is not a zip archive. {HINT}")
    try:
        members = check_layout(file, MAX_MEMBERS)
    except ZipLayoutError as error:
        raise ModelFileError(f"the archive is damaged: {error}. {HINT}") from error
    names = sorted(member.filename for member in members)
    if names != sorted(MAX_BYTES):
        raise ModelFileError(f"it must contain exactly {', '.join(MAX_BYTES)}; got {names!r:.200}. {HINT}")
    for member in members:
        _check_member(member)
    try:
        with zipfile.ZipFile(file) as archive:
            return {member.filename: archive.read(member) for member in members}
    except OSError:
        raise
    except Exception as error:  # zipfile raises many exception types on damaged data
        raise ModelFileError(f"the archive is damaged: {short_reason(error)}. {HINT}") from error


def _check_member(member: zipfile.ZipInfo) -> None:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ModelFileError(f"{member.filename} must be uncompressed; it is compressed. {HINT}")
    limit = MAX_BYTES[member.filename]
    if member.file_size > limit:
        raise ModelFileError(f"{member.filename} must have at most {limit:,} bytes; got {member.file_size:,}. {HINT}")


def read_config(text: bytes) -> dict[str, Any]:
    """Reads the config of a SiameseModel and checks the type and range of every value.

    Args:
        text: content of `config.json`.

    Returns:
        Constructor arguments of a SiameseModel.

    Raises:
        ModelFileError: if the text is not JSON, describes another class, or has missing, unknown or invalid entries.
    """
    try:
        outer = json.loads(
            text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite_number
        )
    except ValueError as error:
        raise ModelFileError(f"{CONFIG} is not JSON: {short_reason(error)}. {HINT}") from error
    if not isinstance(outer, dict) or any(outer.get(key) != name for key, name in IDENTITY.items()):
        found = outer.get("class_name") if isinstance(outer, dict) else type(outer).__name__
        raise ModelFileError(f"{CONFIG} must describe a SiameseModel; got {found!r:.100}. {HINT}")
    if not set(outer) <= OUTER_KEYS:
        unknown = sorted(set(outer) - OUTER_KEYS)
        raise ModelFileError(f"{CONFIG} must have only the keys {sorted(OUTER_KEYS)}; got {unknown!r:.100}. {HINT}")
    config = outer.get("config")
    expected = {"input_size", "tower", "embedding_dim", "head", "threshold", "record", *ADDED}
    if isinstance(config, dict):
        config = {**ADDED, **config}
    if not isinstance(config, dict) or set(config) != expected:
        raise ModelFileError(f"the config must have the keys {sorted(expected)}; got {config!r:.200}. {HINT}")
    _check_values(config)
    return config


def _check_values(config: Mapping[str, Any]) -> None:
    size = config["input_size"]
    for name, valid in (
        ("input_size", isinstance(size, list) and len(size) == 3 and all(_is_int(side, 1, 2048) for side in size)),
        ("tower", isinstance(config["tower"], str)),
        ("embedding_dim", _is_int(config["embedding_dim"], 1, 4096)),
        ("head", isinstance(config["head"], str)),
        ("threshold", type(config["threshold"]) in (int, float) and 0 <= config["threshold"] <= 1),
        ("record", isinstance(config["record"], dict)),
        ("views", config["views"] in tuple(VIEWS)),
        ("resize", config["resize"] in RESIZES),
        ("invert", isinstance(config["invert"], bool)),
        ("center", config["center"] in (*CENTERS, None)),
    ):
        if not valid:
            raise ModelFileError(f"{name} in the config cannot be {config[name]!r:.100}. {HINT}")


def _is_int(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("an object has a duplicate key")
    return dict(pairs)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _finite_number(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number
