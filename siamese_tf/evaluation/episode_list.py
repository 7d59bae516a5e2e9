"""Files of episodes, so that several models and programs see the same ones.

A file is a JSON object: `format` (1), `dataset`, `images` (their number), `sha256` of the images, `ways`, `shots`,
`within` ("group" or null), and the lists `support` (episodes x ways x shots), `query` and `target` of `Episodes`.
"""

import hashlib
import json
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from siamese_tf.config.checks import either
from siamese_tf.errors import DatasetError
from siamese_tf.evaluation.episodes import MAX_EPISODES, MAX_SHOTS, MAX_WAYS, WITHIN, Episodes, check_episodes
from siamese_tf.files import atomic_write, open_regular
from siamese_tf.printable import short_reason

FORMAT = 1
KEYS = ("format", "dataset", "images", "sha256", "ways", "shots", "within", "support", "query", "target")
MAX_BYTES = 2**24  # about 75,000 episodes of 20 ways
LARGEST = 2**53  # whole numbers that every JSON reader keeps


def write_episodes(
    path: str | Path, episodes: Episodes, images: np.ndarray, dataset: str, within: str | None = None
) -> None:
    """Writes episodes to a file, atomically.

    Args:
        path: the JSON file.
        episodes: episodes of the images.
        images: uint8 (n, h, w, c).
        dataset: name of the data set, for people.
        within: `"group"` if the classes of each episode are of one group; else None.

    Raises:
        DatasetError: if the file would be too large to read.
    """
    _, ways, shots = episodes.support.shape
    facts = {"format": FORMAT, "dataset": dataset, "images": len(images), "sha256": images_sha256(images)}
    facts |= {"ways": ways, "shots": shots, "within": within}
    lists = {name: getattr(episodes, name).tolist() for name in ("support", "query", "target")}
    text = json.dumps(facts | lists, separators=(",", ":")) + "\n"
    if len(text) > MAX_BYTES:
        raise DatasetError(f"an episode list must have at most {MAX_BYTES:,} bytes; got {len(text):,}. Draw fewer")
    with atomic_write(path, "w") as file:
        file.write(text)


def read_episodes(path: str | Path, images: np.ndarray) -> tuple[Episodes, str | None]:
    """Reads and checks a file of episodes, possibly from an untrusted source.

    Args:
        path: file of `write_episodes`.
        images: uint8 (n, h, w, c), the images that the episodes must be of.

    Returns:
        The episodes, and `"group"` if the classes of each episode are of one group, or else None; whether the classes
        are those of the images is checked by `check_classes`.

    Raises:
        DatasetError: if the file is missing, too large, damaged or of other images.
        ConfigError: if an episode points outside the images.
    """
    found = _read_object(path)
    if sorted(found) != sorted(KEYS):
        _refuse(path, f"have the keys {', '.join(KEYS)}", ", ".join(map(str, found)) or "none")
    if found["format"] != FORMAT or isinstance(found["format"], bool):
        _refuse(path, f"have format {FORMAT}", found["format"])
    if found["within"] not in (*WITHIN, None):
        _refuse(path, f"have within {either(WITHIN)}, or null", found["within"])
    for name, high in (("ways", MAX_WAYS), ("shots", MAX_SHOTS)):
        if type(found[name]) is not int or not 1 <= found[name] <= high:
            _refuse(path, f"have {name} from 1 to {high:,}", found[name])
    count = len(found["query"]) if isinstance(found["query"], list) else 0
    if not 1 <= count <= MAX_EPISODES:
        _refuse(path, f"have a query list of 1 to {MAX_EPISODES:,} images", f"{count:,}")
    shapes = {"support": (count, found["ways"], found["shots"]), "query": (count,), "target": (count,)}
    episodes = Episodes(**{name: _array(path, name, found[name], shape) for name, shape in shapes.items()})
    if found["images"] != len(images) or found["sha256"] != images_sha256(images):
        of = f"{found['images']} images of {found['dataset']} with SHA-256 {found['sha256']}"
        _refuse(path, f"be a list of these {len(images):,} images, in this image format", of)
    check_episodes(episodes, len(images))
    return episodes, found["within"]


def images_sha256(images: np.ndarray) -> str:
    """Returns the SHA-256 (hexadecimal) of the shape and the pixels of images."""
    digest = hashlib.sha256(f"{images.shape} {images.dtype}\n".encode())
    digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()


def _read_object(path: str | Path) -> dict[str, Any]:
    try:
        with open_regular(path) as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            _refuse(path, f"have at most {MAX_BYTES:,} bytes", "more")
        found = json.loads(text)
    except OSError as error:
        raise DatasetError(f"cannot read the episodes {path}: {error.strerror}. Check the path") from error
    except DatasetError:
        raise
    except (ValueError, RecursionError) as error:
        _refuse(path, "be JSON", short_reason(error), error)
    if not isinstance(found, dict):
        _refuse(path, "be a JSON object", type(found).__name__)
    return found


def _array(path: str | Path, name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Returns nested lists of whole numbers as an int64 array; converts nothing."""
    level = [value]
    for size in shape:
        if any(type(one) is not list or len(one) != size for one in level):
            _refuse(path, f"have {name} of {' x '.join(map(str, shape))} numbers", "another shape")
        level = list(chain.from_iterable(level))
    wrong = next((one for one in level if type(one) is not int or not 0 <= one < LARGEST), None)
    if wrong is not None or None in level:
        _refuse(path, f"have {name} of whole numbers from 0", wrong)
    return np.array(level, np.int64).reshape(shape)


def _refuse(path: str | Path, must: str, got: object, cause: BaseException | None = None) -> NoReturn:
    raise DatasetError(
        f"{path} must {must}; got {got!s:.200}. Use a file of --write-episodes, made from the same images"
    ) from cause
