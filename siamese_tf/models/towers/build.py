"""Builder of towers: networks that map an image to an embedding, shared by both images of a pair."""

from tensorflow import keras

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import CUSTOM, TOWERS
from siamese_tf.errors import ConfigError
from siamese_tf.models.keras_settings import keras_settings
from siamese_tf.models.towers.custom import check_tower


def build_tower(
    tower: str | keras.Model, input_size: tuple[int, int, int], embedding_dim: int, precision: str = "float32"
) -> keras.Model:
    """Builds a tower from the catalog, or checks a custom one.

    Args:
        tower: a key of `siamese_tf.config.catalog.TOWERS`, or a custom model (see `check_tower`).
        input_size: height, width and channels of an image.
        embedding_dim: size of an embedding; ignored for a custom tower.
        precision: `float32` or `bfloat16`, the compute precision of a tower from the catalog, whose weights are always
            float32; ignored for a custom tower.

    Returns:
        A model that maps (n, h, w, c) float32 images in [0, 1] to (n, d) floating-point embeddings.

    Raises:
        ConfigError: if the name is unknown, the images do not fit the tower, or the custom model cannot be a tower.
    """
    if not isinstance(tower, str):
        return check_tower(tower, input_size)
    if tower == CUSTOM:
        raise ConfigError(
            "tower must be passed for a custom tower, which the file does not contain. Use load_model(path, tower=...)"
        )
    if tower not in TOWERS:
        raise ConfigError(f"tower must be one of {', '.join(TOWERS)}, or a keras.Model; got {tower!r:.100}")
    build = load_builder(TOWERS[tower].builder)
    with keras_settings("mixed_bfloat16" if precision == "bfloat16" else precision):
        return build(input_size, embedding_dim)
