"""Methods called by the savers and loaders of Keras, for the same files as `save_model` and `load_model`.

Keras 2.15 unpickles weights in `.npz` and follows HDF5 links into other files before it passes weights to the model.
So `from_config`, which Keras calls first, checks the archive in the same way as `load_model`.
"""

import inspect
import json
import zipfile
from typing import IO, Any, Self

from tensorflow import keras

from siamese_tf.errors import ModelFileError
from siamese_tf.models.model_archive import CONFIG, WEIGHTS, read_config, read_members
from siamese_tf.models.plain_arrays import plain_store, read_plain_arrays
from siamese_tf.models.weights import read_weights, write_weights


class KerasSaving(keras.Model):
    """Model that is rebuilt from its config and stores its weights under the names of `named_weights`.

    Subclasses have the attributes `tower` and `head`.
    """

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: object = None) -> Self:
        """Builds a model with new weights.

        Raises:
            ModelFileError: if `keras.models.load_model` is reading a file that `siamese_tf.load_model` would reject.
        """
        archive = _archive_in_load_model()
        if archive is not None and _is_of_archive(config, archive):
            _check_archive(archive)
        elif archive is not None and any(name.endswith(".npz") for name in archive.namelist()):
            raise ModelFileError(
                "the weights of a model that contains a SiameseModel must be HDF5; got .npz, which Keras unpickles."
                " Save the model again"
            )
        return cls(**config)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Does nothing: the constructor builds the model."""

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Does nothing, since a loss or metric in a file can be any object that Keras can import. Compile again."""

    def save_own_variables(self, store: Any) -> None:
        write_weights(self.tower, self.head, store)

    def load_own_variables(self, store: Any) -> None:
        read_weights(self.tower, self.head, plain_store(store))

    def __dir__(self) -> list[str]:
        """Hides tower, head and layers: Keras saves all attributes, and `write_weights` already stores every array."""
        return [name for name in super().__dir__() if name not in ("tower", "head", "layers")]


def _archive_in_load_model() -> zipfile.ZipFile | None:
    """Returns the archive that `keras.models.load_model` is reading; None outside of that function.

    Searches the call stack, because Keras passes only the config to a class.

    Raises:
        ModelFileError: if Keras is not reading an archive but, for example, a folder.
    """
    loads, frame = False, inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("keras."):
            loads = loads or frame.f_code.co_name == "load_model"
            for value in frame.f_locals.values():
                if isinstance(value, zipfile.ZipFile):
                    return value
        frame = frame.f_back
    if loads:
        raise ModelFileError("a SiameseModel must be a .keras file. Use siamese_tf.load_model")
    return None


def _is_of_archive(config: dict[str, Any], archive: zipfile.ZipFile) -> bool:
    """Returns True if the archive contains this model itself, not another model with a SiameseModel inside."""
    outer = json.loads(archive.read(CONFIG))
    return not isinstance(outer, dict) or json.dumps(outer.get("config") or {}) == json.dumps(config)


def _check_archive(archive: zipfile.ZipFile) -> None:
    file: IO[bytes] | None = archive.fp
    assert file is not None, "zipfile closes it only with the archive"
    file.seek(0)
    try:
        members = read_members(file)
        read_config(members[CONFIG])
        read_plain_arrays(members[WEIGHTS], alone=False)
    except ModelFileError as error:
        raise ModelFileError(f"{error}. siamese_tf.load_model would reject this file as well") from error
