"""The tower `hog`: histograms of oriented gradients, and one layer on them. Nothing before that layer is learned."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.models.towers.blocks import check_size, embedding, flat

DIRECTIONS = 8
CELLS = 8  # along the longer side; a histogram looks at two and a half cells each way
CELLS_SEEN = 2.5
DEVIATION, LEAST_DEVIATION = 0.011, 0.7  # of the smoothing before the gradient: of the longer side; pixels
NEIGHBORS = 5  # cells each way, whose contrast a cell is compared with
MIN_CONTRAST = 1e-3  # of a gradient from black to white


def hog(input_size: tuple[int, int, int], embedding_dim: int) -> keras.Model:
    """Histograms of oriented gradients over overlapping cells, evened out for contrast, then Dense.

    Only the last layer is learned, so there is little to learn by heart: for data of a few dozen classes. It has
    57,472 parameters for 112x92 images and 128 dimensions.

    Args:
        input_size: height, width and channels of an image; the shorter side at least 8. Colour is not looked at.
        embedding_dim: numbers in an embedding.

    Returns:
        A model from (n, h, w, c) float32 to (n, embedding_dim) float32.

    Raises:
        ConfigError: the images are too small.

    Reference:
        Dalal and Triggs 2005, "Histograms of oriented gradients for human detection".
    """
    check_size("hog", input_size, 8)
    longer, shorter = max(input_size[:2]), min(input_size[:2])
    cell = max(1, round(longer / CELLS))
    image = keras.Input(input_size, name="image")
    x = OrientedGradients(max(LEAST_DEVIATION, DEVIATION * longer), most_reach=shorter, name="gradients")(image)
    x = keras.layers.AveragePooling2D(round(CELLS_SEEN * cell), strides=cell, padding="same", name="cells")(x)
    x = EvenContrast(name="contrast")(x)
    return keras.Model(image, embedding(flat(x, embedding_dim, "hog"), embedding_dim), name="hog")


class OrientedGradients(keras.layers.Layer):
    """How much brighter a smoothed image becomes in each of eight directions, 0 where it becomes darker.

    (n, h, w, c) in [0, 1] -> (n, h, w, 8) in [0, 1], the first to the right and the others clockwise. Beyond its edges
    an image goes on as its reflection.
    """

    def __init__(self, deviation: float, most_reach: int, name: str):
        """Sets up the filters.

        Args:
            deviation: of the Gaussian that smooths, in pixels.
            most_reach: pixels that a filter may reach to each side, at most.
            name: of the layer.
        """
        super().__init__(name=name, trainable=False)
        self.reach = min(int(3 * deviation + 0.5), most_reach)
        y, x = np.mgrid[-self.reach : self.reach + 1, -self.reach : self.reach + 1]
        bell = np.exp(-(x**2 + y**2) / (2 * deviation**2))
        angles = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
        filters = np.stack([(np.cos(angle) * x + np.sin(angle) * y) * bell for angle in angles], axis=-1)
        filters /= filters[..., 0].clip(0).sum()  # an edge from black to white makes 1
        self.filters = filters[:, :, np.newaxis].astype(np.float32)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        color = images.shape[-1] == 3
        grey = tf.image.rgb_to_grayscale(images) if color else tf.reduce_mean(images, axis=-1, keepdims=True)
        around = [[0, 0], [self.reach, self.reach], [self.reach, self.reach], [0, 0]]
        filters = tf.cast(self.filters, grey.dtype)
        return tf.nn.relu(tf.nn.conv2d(tf.pad(grey, around, "SYMMETRIC"), filters, strides=1, padding="VALID"))


class EvenContrast(keras.layers.Layer):
    """Divides what a cell holds by the contrast around it: the root of the mean square length of its neighbours."""

    def call(self, cells: tf.Tensor) -> tf.Tensor:
        squares = tf.reduce_sum(tf.square(cells), axis=-1, keepdims=True)
        contrast = tf.sqrt(tf.nn.avg_pool2d(squares, NEIGHBORS, strides=1, padding="SAME"))
        return cells / (contrast + MIN_CONTRAST)
