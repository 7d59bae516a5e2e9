"""Opening of the file of a gallery for its model."""

from pathlib import Path
from typing import TYPE_CHECKING

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_file import GalleryFile

if TYPE_CHECKING:
    from siamese_tf.models.siamese_model import SiameseModel


def open_gallery_file(path: str | Path, model: "SiameseModel | None", create: bool = False) -> GalleryFile:
    """Opens the file of a gallery and checks that it belongs to the model.

    Args:
        path: path of the gallery.
        model: model loaded from a file; None skips the check.
        create: if True, creates a missing gallery for the model.

    Raises:
        GalleryError: if the file is missing, damaged, not a gallery, or belongs to a different model; or if the model
            was not loaded from a file.
    """
    if model is None:
        return GalleryFile(path)
    if model.file_sha256 is None:
        raise GalleryError(
            "the model of a gallery must be loaded from a file; got a model that was not. Save it with"
            " siamese_tf.save_model and load it with siamese_tf.load_model"
        )
    file = GalleryFile(path, new=(model.file_sha256, model.embedding_dim) if create else None)
    if (file.model_sha256, file.embedding_dim) != (model.file_sha256, model.embedding_dim):
        file.close()
        raise GalleryError(
            f"{path}: the model must have the SHA-256 {file.model_sha256:.16}..., since embeddings of two models cannot"
            f" be compared; got {model.file_sha256:.16}... Use that model, or enroll the images in a new gallery"
        )
    return file
