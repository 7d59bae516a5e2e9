"""Tower `hog`: histograms of oriented gradients followed by one trained layer."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.models.towers.blocks import check_size, embedding, flatten

MIN_SIZE = 8  # pixels
DIRECTIONS = 8
CELLS = 8  # along the longer side
WINDOW = 2.5  # side of a histogram window, in cells
DEVIATION, MIN_DEVIATION = 0.011, 0.7  # of the smoothing Gaussian: fraction of the longer side; pixels
NEIGHBORHOOD = 5  # side of the window for contrast normalization, in cells
MIN_CONTRAST = 1e-3  # an edge from black to white has a gradient of 1


def hog(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Builds contrast-normalized histograms of oriented gradients over overlapping cells, then Dense.

    Only the last layer is trained, which limits overfitting: the tower suits data sets of a few dozen classes. It has
    57,472 parameters for 112x92 images and 128 dimensions.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 8. Color is converted to gray.
        embedding_dim: size of an embedding.

    Returns:
        A model that maps (n, h, w, c) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: if the images are too small, or the last layer would be too large.

    Reference:
        Dalal and Triggs 2005, "Histograms of oriented gradients for human detection".
    """
    check_size("hog", input_size, MIN_SIZE)
    longer, shorter = max(input_size[:2]), min(input_size[:2])
    cell = _cell_side(input_size)
    image = keras.Input(input_size, name="image")
    x = OrientedGradients(max(MIN_DEVIATION, DEVIATION * longer), max_radius=shorter, name="gradients")(image)
    x = keras.layers.AveragePooling2D(round(WINDOW * cell), strides=cell, padding="same", name="cells")(x)
    x = EvenContrast(name="contrast")(x)
    return keras.Model(image, embedding(flatten(x, embedding_dim, "hog"), embedding_dim), name="hog")


def hog_parameters(input_size: tuple[int, int, int], embedding_dim: int) -> int:
    """Returns the number of weights of `hog` without building it."""
    cell = _cell_side(input_size)
    rows, columns = (-(-side // cell) for side in input_size[:2])
    return (rows * columns * DIRECTIONS + 1) * embedding_dim


class OrientedGradients(keras.layers.Layer):
    """Layer that computes the positive part of the derivative of a smoothed image in eight directions.

    Maps (n, h, w, c) in [0, 1] to (n, h, w, 8) in [0, 1]. The first direction points right; the others follow
    clockwise. Images are padded by reflection.
    """

    def __init__(self, deviation: float, max_radius: int, name: str):
        """Computes the filters.

        Args:
            deviation: standard deviation of the Gaussian, in pixels.
            max_radius: maximum filter radius, in pixels.
            name: name of the layer.
        """
        super().__init__(name=name, trainable=False)
        self.radius = min(int(3 * deviation + 0.5), max_radius)
        y, x = np.mgrid[-self.radius : self.radius + 1, -self.radius : self.radius + 1]
        gaussian = np.exp(-(x**2 + y**2) / (2 * deviation**2))
        angles = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
        filters = np.stack([(np.cos(angle) * x + np.sin(angle) * y) * gaussian for angle in angles], axis=-1)
        filters /= filters[..., 0].clip(0).sum()  # the response to an edge from black to white is 1
        self.filters = filters[:, :, np.newaxis].astype(np.float32)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        color = images.shape[-1] == 3
        gray = tf.image.rgb_to_grayscale(images) if color else tf.reduce_mean(images, axis=-1, keepdims=True)
        padding = [[0, 0], [self.radius, self.radius], [self.radius, self.radius], [0, 0]]
        filters = tf.cast(self.filters, gray.dtype)
        return tf.nn.relu(tf.nn.conv2d(tf.pad(gray, padding, "SYMMETRIC"), filters, strides=1, padding="VALID"))


class EvenContrast(keras.layers.Layer):
    """Layer that divides each cell by the local contrast: the root mean square norm of the surrounding cells."""

    def call(self, cells: tf.Tensor) -> tf.Tensor:
        squares = tf.reduce_sum(tf.square(cells), axis=-1, keepdims=True)
        contrast = tf.sqrt(tf.nn.avg_pool2d(squares, NEIGHBORHOOD, strides=1, padding="SAME"))
        return cells / (contrast + MIN_CONTRAST)


def _cell_side(input_size: tuple[int, int, int]) -> int:
    return max(1, round(max(input_size[:2]) / CELLS))
