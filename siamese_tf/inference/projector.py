"""A folder that TensorBoard's projector opens: `tensorboard --logdir FOLDER`, then PROJECTOR.

Its format: https://www.tensorflow.org/tensorboard/tensorboard_projector_plugin
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from siamese_tf.errors import ConfigError
from siamese_tf.files import atomic_write

WIDEST_SPRITE = 8192  # pixels; TensorBoard shows no larger one
CONFIG = """embeddings {{
  tensor_name: "embeddings"
  tensor_shape: {images}
  tensor_shape: {numbers}
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
        folder: made if it is not there; files of these names are replaced.
        embeddings: (n, d) float32, finite.
        labels: integers (n,), the class of each image.
        class_names: what label k is called, at position k; a label beyond them goes by its number.
        images: uint8 (n, h, w, c), c = 1 (grey) or 3 (RGB).
        private: only the owner may read the files.

    Raises:
        ConfigError: so many or so large images that TensorBoard would not show them; nothing is written.
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
        file.writelines(f"{row}\n" for row in rows)  # a single column has no header
    with atomic_write(folder / "projector_config.pbtxt", "w") as file:
        count, numbers = embeddings.shape
        file.write(CONFIG.format(images=count, numbers=numbers, side=max(images.shape[1:3])))


def _sprite(images: np.ndarray) -> Image.Image:
    """All images in one square picture, row by row from the top left, each in the middle of a square of its own."""
    count, height, width, channels = images.shape
    side = max(height, width)
    in_a_row = math.ceil(math.sqrt(count))
    if in_a_row * side > WIDEST_SPRITE:
        raise ConfigError(
            f"{count:,} images of {height}x{width} make a sprite {in_a_row * side:,} pixels wide, and TensorBoard shows"
            f" at most {WIDEST_SPRITE:,}. Take at most {(WIDEST_SPRITE // side) ** 2:,} images (--images)"
        )
    cells = np.zeros((in_a_row**2, side, side, channels), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    cells[:count, top : top + height, left : left + width] = images
    grid = cells.reshape(in_a_row, in_a_row, side, side, channels).swapaxes(1, 2)
    pixels = grid.reshape(in_a_row * side, in_a_row * side, channels)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
