"""Number of weights of a tower without building it, to check a model file before its tower is built.

Building a tower can take seconds and hundreds of megabytes, which a file of a few kilobytes must not be able to cause.
"""

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import TOWERS


def parameter_count(tower: str, input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of scalar weights of a tower, including moving statistics.

    Args:
        tower: a key of `siamese_tf.config.catalog.TOWERS`.
        input_size: height, width and channels of an image.
        embedding_dim: size of an embedding.
    """
    return load_builder(TOWERS[tower].parameters)(input_size, embedding_dim)
