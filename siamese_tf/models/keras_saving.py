"""Methods that Keras' own savers and loaders call, for the same files as `save_model` and `load_model`.

Keras 2.15 unpickles weights in `.npz` and follows HDF5 links into other files, before any method of the model that it
loads sees them. So `from_config`, which Keras calls first, looks the archive over as `load_model` does.
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
    """Model that is rebuilt from its config and stores all weights under names of this project.

    Subclasses have the attributes `tower` and `head`.
    """

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: object = None) -> Self:
        """Builds a model, with new weights.

        Raises:
            ModelFileError: `keras.models.load_model` reads a file that `siamese_tf.load_model` would refuse.
        """
        archive = _archive_in_load_model()
        if archive is not None and _is_of_archive(config, archive):
            _check_archive(archive)
        elif archive is not None and any(name.endswith(".npz") for name in archive.namelist()):
            raise ModelFileError(
                "the weights of a model that contains a SiameseModel must be in HDF5; got .npz, which Keras unpickles."
                " Save the model again"
            )
        return cls(**config)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Does nothing: the constructor has built the model."""

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Does nothing: a loss or a metric from a file can be any object that Keras can import. Compile it again."""

    def save_own_variables(self, store: Any) -> None:
        write_weights(self.tower, self.head, store)

    def load_own_variables(self, store: Any) -> None:
        read_weights(self.tower, self.head, plain_store(store))

    def __dir__(self) -> list[str]:
        """Hides the parts: Keras' savers walk these names, and `write_weights` already stores every array once."""
        return [name for name in super().__dir__() if name not in ("tower", "head", "layers")]


def _archive_in_load_model() -> zipfile.ZipFile | None:
    """Returns the archive that `keras.models.load_model` is reading, from the call stack; None outside of it.

    Keras hands a class nothing but its config.

    Raises:
        ModelFileError: Keras reads something else, such as a folder.
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
    """Checks that the archive holds this model and not another class that contains a SiameseModel."""
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
        raise ModelFileError(f"{error}. This is what siamese_tf.load_model refuses, too") from error
