"""A folder of photographs: reading it for the first time, beside Pillow alone, and the memory of embedding it."""

import os
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from processes import alternate, run_in_process, worker
from rows import Row, duration, memory, times

COUNT, CLASSES, SIDE, SIZE, QUALITY = 5_000, 50, 256, 112, 90
REPEATS = 5
MIN_SPEEDUP = 1.2  # over one thread of Pillow
MAX_BYTES = 0.7e9  # of embedding, TensorFlow included


def rows(files: list[Path]) -> list[Row]:
    """Measures all rows; ignores the pair files."""
    with tempfile.TemporaryDirectory() as folder:
        run_in_process(write_photos, folder)
        turns = alternate(REPEATS, *((action, (folder,)) for action in (read_folder, pillow_alone, pillow_in_threads)))
        embedding = run_in_process(embed_folder, folder)
    ours, alone, in_threads = (statistics.median(column) for column in zip(*turns, strict=True))
    ratio, limit = (statistics.median(turn[peer] / turn[0] for turn in turns) for peer in (1, 2))
    task = f"folder of {COUNT:,} JPEG photos, {SIDE}x{SIDE} to {SIZE}x{SIZE}, first time"
    return [
        Row(
            task,
            duration(ours),
            f"{duration(alone)}, Pillow, one thread",
            times(ratio),
            f"at least {MIN_SPEEDUP}x",
            ratio >= MIN_SPEEDUP,
        ),
        Row(task, duration(ours), f"{duration(in_threads)}, Pillow, one thread per processor", times(limit)),
        Row(
            "same: peak memory of embedding it",
            memory(embedding.bytes),
            target=f"at most {memory(MAX_BYTES)}",
            met=embedding.bytes <= MAX_BYTES,
        ),
    ]


def write_photos(folder: str) -> None:
    """Writes crops of the photographs that come with scikit-learn, enlarged or reduced to one size."""
    from sklearn.datasets import load_sample_images

    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    generator = np.random.default_rng(0)
    for number in range(COUNT):
        photo = photos[number % len(photos)]
        side = int(generator.integers(150, min(photo.size)))
        left, top = (int(generator.integers(0, length - side)) for length in photo.size)
        crop = photo.resize((SIDE, SIDE), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
        path = Path(folder) / f"class{number % CLASSES:02}" / f"{number:05}.jpg"
        path.parent.mkdir(exist_ok=True)
        crop.save(path, quality=QUALITY)


def read_folder(folder: str) -> Callable[[], Any]:
    """Prepares reading the folder with an empty cache."""
    from siamese_tf.data.images.format import ImageFormat
    from siamese_tf.data.sources.image_folder import read_image_folder

    def read() -> None:
        with tempfile.TemporaryDirectory() as cache:
            os.environ["SIAMESE_TF_CACHE"] = cache
            read_image_folder(folder, ImageFormat((SIZE, SIZE)))

    return read


def pillow_alone(folder: str) -> Callable[[], Any]:
    files = sorted(Path(folder).glob("*/*.jpg"))
    return lambda: [_pixels(file) for file in files]


def pillow_in_threads(folder: str) -> Callable[[], Any]:
    files = sorted(Path(folder).glob("*/*.jpg"))

    def read() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_pixels, files))

    return read


def embed_folder(folder: str) -> None:
    from siamese_tf.data.images.format import ImageFormat
    from siamese_tf.data.sources.image_folder import read_image_folder
    from siamese_tf.models.siamese_model import SiameseModel

    with tempfile.TemporaryDirectory() as cache:
        os.environ["SIAMESE_TF_CACHE"] = cache
        images = read_image_folder(folder, ImageFormat((SIZE, SIZE))).images
        SiameseModel((SIZE, SIZE, 3)).embed(images)


def _pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR))


if __name__ == "__main__":
    worker()
