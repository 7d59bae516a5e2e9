"""Folder for TensorBoard's projector; view it with `tensorboard --logdir FOLDER`, tab PROJECTOR.

Format: https://www.tensorflow.org/tensorboard/tensorboard_projector_plugin
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from siamese_tf.errors import ConfigError
from siamese_tf.files import atomic_write

MAX_SPRITE_WIDTH = 8192  # pixels, TensorBoard's limit
CONFIG = """embeddings {{
  tensor_name: "embeddings"
  tensor_shape: {images}
  tensor_shape: {dimensions}
  tensor_path: "tensors.tsv"
  metadata_path: "metadata.tsv"
  sprite {{
    image_path: "sprite.png"
    single_image_dim: {side}
    single_image_dim: {side}
  }}
}}
"""


def write_projector(
    folder: str | Path,
    embeddings: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    images: np.ndarray,
    *,
    private: bool = False,
) -> None:
    """Writes `projector_config.pbtxt`, `tensors.tsv`, `metadata.tsv` and `sprite.png`; the folder can be moved.

    Args:
        folder: output folder, created if necessary; existing files with these names are replaced.
        embeddings: finite embeddings, (n, d) float32.
        labels: class of each image, (n,) integers.
        class_names: name of class k at position k; classes without a name are shown by number.
        images: images, (n, h, w, c) uint8, c = 1 (gray) or 3 (RGB).
        private: if True, only the owner can read the files.

    Raises:
        ConfigError: if the images are too many or too large for TensorBoard; nothing is written.
    """
    folder = Path(folder)
    sprite = _sprite(images)
    names = [class_names[label] if 0 <= label < len(class_names) else "" for label in labels]
    rows = [" ".join(name.split()) or str(label) for name, label in zip(names, labels, strict=True)]
    with atomic_write(folder / "sprite.png", private=private) as file:
        sprite.save(file, format="PNG")
    with atomic_write(folder / "tensors.tsv", "w", private=private) as file:
        np.savetxt(file, embeddings, fmt="%.7g", delimiter="\t")
    with atomic_write(folder / "metadata.tsv", "w", private=private) as file:
        file.writelines(f"{row}\n" for row in rows)  # a single column must not have a header
    with atomic_write(folder / "projector_config.pbtxt", "w") as file:
        count, dimensions = embeddings.shape
        file.write(CONFIG.format(images=count, dimensions=dimensions, side=max(images.shape[1:3])))


def _sprite(images: np.ndarray) -> Image.Image:
    """Arranges all images in one square image, row by row from the top left, each centered in a square cell."""
    count, height, width, channels = images.shape
    side = max(height, width)
    columns = math.ceil(math.sqrt(count))
    if columns * side > MAX_SPRITE_WIDTH:
        raise ConfigError(
            f"a sprite must be at most {MAX_SPRITE_WIDTH:,} pixels wide for TensorBoard; got {columns * side:,} for"
            f" {count:,} images of {height}x{width}. Use at most {(MAX_SPRITE_WIDTH // side) ** 2:,} images (--images)"
        )
    cells = np.zeros((columns**2, side, side, channels), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    cells[:count, top : top + height, left : left + width] = images
    grid = cells.reshape(columns, columns, side, side, channels).swapaxes(1, 2)
    pixels = grid.reshape(columns * side, columns * side, channels)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
