"""siamese_tf against other libraries on the same work: search, score matrix, identification, triplets, training.

    python benchmarks/peers.py

prints these rows, those of photographs and the time to accuracy; `make bench` includes them all. Libraries that are not
installed have no row: `pip install faiss-cpu` for search, `pip install pytorch-metric-learning` for the triplet loss.
All libraries of a row run alternately, each in a subprocess, with as many threads as they choose.
"""

import importlib.util
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import generation
import peer_actions as actions
import photos
import training
from gallery import DIMENSIONS as FACE_DIMENSIONS
from gallery import PEOPLE, fill
from peer_actions import DIMENSIONS, GALLERY, IMAGES, PROBES, QUERIES, SIDE, STEPS, TOP, K
from processes import alternate, run_in_process
from rows import Row, duration, show, times
from time_to_accuracy import example_rows, time_to_accuracy_rows

REPEATS = 7
MINIMUM = 1.0  # speed relative to each peer


class Peer(NamedTuple):
    """An implementation of the same work.

    Attributes:
        name: text of the table.
        action: function that prepares the timed action.
        arguments: arguments of that function.
        module: module that must be installed.
        is_limit: True for a part of the work that no implementation can leave out; it is no target.
    """

    name: str
    action: Callable[..., Callable[[], Any]]
    arguments: tuple = ()
    module: str = "numpy"
    is_limit: bool = False


def rows(files: list[Path]) -> list[Row]:
    """Measures all rows; the pair files serve the training."""
    with tempfile.TemporaryDirectory() as folder:
        gallery = str(Path(folder) / "people.gallery")
        run_in_process(fill, gallery)
        return [
            *_compare(
                f"top_k, best {K} of {GALLERY:,} for {QUERIES:,} queries",
                Peer("", actions.top_k),
                Peer("faiss, flat", actions.faiss_search, (QUERIES, GALLERY, DIMENSIONS, K), "faiss"),
                Peer("scikit-learn, brute", actions.sklearn_search),
                Peer("float32 product alone", actions.product, (QUERIES, GALLERY, DIMENSIONS), is_limit=True),
            ),
            *_compare(
                f"score_matrix, {SIDE:,} x {SIDE:,}",
                Peer("", actions.score_matrix),
                Peer("NumPy float32 product and sigmoid", actions.numpy_scores),
                Peer("float32 product alone", actions.product, (SIDE, SIDE, DIMENSIONS), is_limit=True),
            ),
            *_compare(
                f"identify, {PROBES} images among {PEOPLE:,} people, {FACE_DIMENSIONS}-d",
                Peer("", actions.identify, (gallery,)),
                Peer("faiss, flat", actions.faiss_search, (PROBES, PEOPLE, FACE_DIMENSIONS, TOP), "faiss"),
                Peer("float32 product alone", actions.product, (PROBES, PEOPLE, FACE_DIMENSIONS), is_limit=True),
            ),
            *_compare(
                f"semi-hard triplet loss and gradient, {IMAGES} embeddings, {STEPS} times",
                Peer("", actions.triplet_steps),
                Peer("pytorch-metric-learning", actions.pml_steps, (), "pytorch_metric_learning"),
                Peer("TensorFlow Addons", actions.addons_steps, (), "tensorflow_addons"),
            ),
            *_compare(
                f"training with semi-hard triplets, {training.STEPS} steps of {IMAGES} images",
                Peer("", training.default_fit, (str(files[0]), "triplet")),
                Peer("contrastive loss", training.default_fit, (str(files[0]), "contrastive"), is_limit=True),
            ),
            *example_rows(files),
        ]


def _compare(task: str, ours: Peer, *peers: Peer) -> list[Row]:
    """Returns one row per installed peer; the ratio is the median of the ratios of single turns."""
    installed = [peer for peer in peers if importlib.util.find_spec(peer.module)]
    turns = alternate(REPEATS, *((one.action, one.arguments) for one in (ours, *installed)))
    medians = [statistics.median(column) for column in zip(*turns, strict=True)]
    found = []
    for number, peer in enumerate(installed, start=1):
        ratio = statistics.median(turn[number] / turn[0] for turn in turns)
        found.append(
            Row(
                task,
                duration(medians[0]),
                f"{duration(medians[number])}, {peer.name}",
                times(ratio),
                "" if peer.is_limit else f"at least {MINIMUM}x",
                peer.is_limit or ratio >= MINIMUM,
            )
        )
    return found


def main() -> None:
    source = run_in_process(generation.describe_source, "auto").result
    print(f"{source['note']}.\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        files = generation.make_files(source["name"], Path(folder))
        show([*rows(files), *photos.rows(files), *time_to_accuracy_rows(files)])


if __name__ == "__main__":
    main()
