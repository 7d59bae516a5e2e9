"""Duplicates planted among generated photographs: recall and precision for each kind, time and memory.

    python benchmarks/duplicates.py                       20,000 images, 3,000 of them duplicates
    python benchmarks/duplicates.py --images 2000 --seed 1

Each original has content of its own: a crop of a photograph of scikit-learn, blended with smooth shapes and bars drawn
for it alone and changed in color. Two originals are never the same picture; all other pairs that are reported count as
errors.
"""

import argparse
import io
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from processes import run_in_process, worker
from rows import Row, duration, memory, show

DUPLICATES = 3_000 / 20_000  # of all images
SIDE = 256
MIN_RECALL, MIN_PRECISION = 0.99, 0.999
MAX_SECONDS, MAX_BYTES = 600.0, 2e9


def resized(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    scale = rng.uniform(0.4, 0.9)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Removes a tenth of the width and of the height."""
    left, top = (round(rng.uniform(0, 0.1) * length) for length in image.size)
    return image.crop((left, top, left + round(0.9 * image.width), top + round(0.9 * image.height)))


def watermarked(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    marked = image.copy()
    place = tuple(int(rng.uniform(0.05, 0.6) * length) for length in image.size)
    ImageDraw.Draw(marked).text(place, "PHOTO AGENCY", fill=(255, 255, 255))
    return marked


KINDS: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "resized": resized,
    "encoded at quality 40": lambda image, rng: _encoded(image, 40),
    "rotated": lambda image, rng: image.rotate(90 * int(rng.integers(1, 4)), expand=True),
    "mirrored": lambda image, rng: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "cropped by a tenth": cropped,
    "watermarked": watermarked,
}
RECALL = {"cropped by a tenth": 0.95, "watermarked": 0.0}  # required of a kind; of the others MIN_RECALL


def write_images(folder: str, images: int, seed: int) -> dict[str, str]:
    """Writes the images; returns the name of the original by the name of each duplicate, `KIND-NUMBER.jpg`."""
    from sklearn.datasets import load_sample_images

    rng, photos = np.random.default_rng(seed), [Image.fromarray(photo) for photo in load_sample_images().images]
    duplicates = round(images * DUPLICATES)
    planted = {}
    for number in range(images - duplicates):
        image = _original(photos[number % len(photos)], rng)
        name = f"original-{number}.jpg"
        image.save(Path(folder) / name, quality=90)
        if number < duplicates:
            kind = number % len(KINDS)
            copy = f"{kind}-{number}.jpg"
            list(KINDS.values())[kind](image, rng).save(Path(folder) / copy, quality=90)
            planted[copy] = name
    return planted


def find(folder: str) -> dict[str, object]:
    """Returns the groups of names, and the seconds that the search took."""
    import time

    from siamese_tf.inference.duplicates import find_duplicates

    started = time.perf_counter()
    report = find_duplicates(folder)
    seconds = time.perf_counter() - started
    return {"groups": [[report.names[one] for one in group] for group in report.groups], "seconds": seconds}


def _original(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Returns a picture of which no other original is a copy."""
    side = int(rng.integers(150, min(photo.size)))
    left, top = (int(rng.integers(0, length - side + 1)) for length in photo.size)
    width, height = SIDE, int(SIDE * rng.uniform(0.6, 1.0))
    image = photo.resize((width, height), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
    shapes = Image.new("RGB", (width, height), _color(rng))
    draw = ImageDraw.Draw(shapes)
    for _ in range(8):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        radius = rng.uniform(0.08, 0.35) * width
        draw.ellipse((x - radius, y - radius, x + radius, y + radius * rng.uniform(0.3, 1.0)), fill=_color(rng))
        draw.line(
            (x, y, rng.uniform(0, width), rng.uniform(0, height)), fill=_color(rng), width=int(rng.integers(2, 12))
        )
    return Image.blend(image, shapes.filter(ImageFilter.GaussianBlur(1.5)), 0.6)


def _color(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(value) for value in rng.integers(0, 256, 3))


def _encoded(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def main(images: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        planted = run_in_process(write_images, folder, images, seed).result
        search = run_in_process(find, folder)
    pairs = {frozenset(pair) for group in search.result["groups"] for pair in combinations(group, 2)}
    true = {frozenset(pair) for pair in planted.items()}
    found = Counter(next(name for name in pair if name in planted).partition("-")[0] for pair in pairs & true)
    total = Counter(name.partition("-")[0] for name in planted)
    table = []
    for number, kind in enumerate(KINDS):
        recall = found[str(number)] / total[str(number)]
        least = RECALL.get(kind, MIN_RECALL)
        target = f"at least {least}" if least else ""
        table.append(Row(f"recall, {kind}", f"{recall:.4f}", target=target, met=recall >= least))
    precision = len(pairs & true) / max(1, len(pairs))
    seconds = search.result["seconds"]
    show(
        [
            *table,
            Row(
                f"precision of {len(pairs):,} pairs",
                f"{precision:.4f}",
                target=f"at least {MIN_PRECISION}",
                met=precision >= MIN_PRECISION,
            ),
            Row(f"time, {images:,} images", duration(seconds), target="at most 10 minutes", met=seconds <= MAX_SECONDS),
            Row("peak memory", memory(search.bytes), target="at most 2 GB", met=search.bytes <= MAX_BYTES),
        ]
    )


if __name__ == "__main__":
    import sys

    if sys.argv[1:2] in (["write_images"], ["find"]):
        worker()
    else:
        parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
        parser.add_argument("--images", type=int, default=20_000, help="number of images")
        parser.add_argument("--seed", type=int, default=0, help="random seed of the images")
        chosen = parser.parse_args()
        main(chosen.images, chosen.seed)
