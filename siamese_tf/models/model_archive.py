"""Archive of a model file: its members and its config, checked before anything is built from them."""

import json
import zipfile
from collections.abc import Mapping
from typing import IO, Any

from siamese_tf.config.catalog import VIEWS
from siamese_tf.data.images.format import RESIZES
from siamese_tf.errors import ModelFileError
from siamese_tf.printable import short_reason
from siamese_tf.zip_layout import ZipLayoutError, check_layout

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MAX_BYTES = {CONFIG: 2**20, METADATA: 2**16, WEIGHTS: 2**30}
MAX_MEMBERS = 16  # of an archive that is looked at, so that a message can name what does not belong in it
IDENTITY = {
    "module": "siamese_tf.models.siamese_model",
    "class_name": "SiameseModel",
    "registered_name": "siamese_tf>SiameseModel",
}
# Keras writes the last two, of a model that was called or compiled; they are not read.
OUTER_KEYS = {*IDENTITY, "config", "build_config", "compile_config"}
HINT = "Only load model files that siamese_tf saved; train the model again, or copy the file again"


def read_members(file: IO[bytes]) -> dict[str, bytes]:
    """Reads the three members of a model file.

    Args:
        file: open for reading, at its start.

    Raises:
        ModelFileError: damaged, or an archive of other members.
    """
    if file.read(4) != b"PK\x03\x04":
        raise ModelFileError(f"it is not a zip archive. {HINT}")
    try:
        members = check_layout(file, MAX_MEMBERS)
    except ZipLayoutError as error:
        raise ModelFileError(f"the archive is damaged: {error}. {HINT}") from error
    names = sorted(member.filename for member in members)
    if names != sorted(MAX_BYTES):
        raise ModelFileError(f"it must hold {', '.join(MAX_BYTES)} and nothing else; it holds {names!r:.200}. {HINT}")
    for member in members:
        _check_member(member)
    try:
        with zipfile.ZipFile(file) as archive:
            return {member.filename: archive.read(member) for member in members}
    except OSError:
        raise
    except Exception as error:  # zipfile raises a dozen kinds on damaged bytes
        raise ModelFileError(f"the archive is damaged: {short_reason(error)}. {HINT}") from error


def _check_member(member: zipfile.ZipInfo) -> None:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ModelFileError(f"{member.filename} is compressed, which model files are not. {HINT}")
    limit = MAX_BYTES[member.filename]
    if member.file_size > limit:
        raise ModelFileError(f"{member.filename} has {member.file_size:,} bytes; at most {limit:,} are read. {HINT}")


def read_config(text: bytes) -> dict[str, Any]:
    """Reads the config of a SiameseModel; every value in it is plain and within its range.

    Raises:
        ModelFileError: it is not JSON, describes another object, or holds anything that ours do not.
    """
    try:
        outer = json.loads(
            text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite_number
        )
    except ValueError as error:
        raise ModelFileError(f"{CONFIG} is not JSON: {short_reason(error)}. {HINT}") from error
    if not isinstance(outer, dict) or any(outer.get(key) != name for key, name in IDENTITY.items()):
        found = outer.get("class_name") if isinstance(outer, dict) else type(outer).__name__
        raise ModelFileError(f"{CONFIG} must describe a SiameseModel; it describes {found!r:.100}. {HINT}")
    if not set(outer) <= OUTER_KEYS:
        unknown = sorted(set(outer) - OUTER_KEYS)
        raise ModelFileError(f"{CONFIG} must have {sorted(OUTER_KEYS)} alone; got {unknown!r:.100}. {HINT}")
    config = outer.get("config")
    expected = {"input_size", "tower", "embedding_dim", "head", "threshold", "record", "views", "resize"}
    if isinstance(config, dict):
        config = {"views": "one", "resize": "pad", **config}  # the first files had no such entries
    if not isinstance(config, dict) or set(config) != expected:
        raise ModelFileError(f"the config must have {sorted(expected)}; got {config!r:.200}. {HINT}")
    _check_values(config)
    return config


def _check_values(config: Mapping[str, Any]) -> None:
    size = config["input_size"]
    for name, right in (
        ("input_size", isinstance(size, list) and len(size) == 3 and all(_to_int(side, 1, 2048) for side in size)),
        ("tower", isinstance(config["tower"], str)),
        ("embedding_dim", _to_int(config["embedding_dim"], 1, 4096)),
        ("head", isinstance(config["head"], str)),
        ("threshold", type(config["threshold"]) in (int, float) and 0 <= config["threshold"] <= 1),
        ("record", isinstance(config["record"], dict)),
        ("views", config["views"] in tuple(VIEWS)),
        ("resize", config["resize"] in RESIZES),
    ):
        if not right:
            raise ModelFileError(f"{name} in the config cannot be {config[name]!r:.100}. {HINT}")


def _to_int(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("an object has a key twice")
    return dict(pairs)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _finite_number(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number
