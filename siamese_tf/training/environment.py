"""Properties of the machine that affect the exact weights of a training run."""

import os
from importlib.metadata import version
from typing import Any

import tensorflow as tf

from siamese_tf.onednn import VARIABLE

LABELS = {
    "processors": "number of processors",
    "intra_op_threads": "number of TensorFlow intra-op threads",
    "inter_op_threads": "number of TensorFlow inter-op threads",
    "gpus": "number of GPUs",
    "onednn": f"environment variable {VARIABLE}",
    "tensorflow": "TensorFlow version",
    "keras": "Keras version",
}


def environment() -> dict[str, Any]:
    """Returns the value of every key of LABELS for this process; 0 threads means that TensorFlow chooses."""
    return {
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        "gpus": len(tf.config.list_physical_devices("GPU")),
        "onednn": os.environ.get(VARIABLE, "unset"),
        "tensorflow": version("tensorflow"),
        "keras": version("keras"),
    }


def environment_changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Describes each difference between two environments; keys missing from `before` (old checkpoints) are ignored."""
    return [
        f"{label} was {before[name]} and is now {now[name]}"
        for name, label in LABELS.items()
        if name in before and before[name] != now[name]
    ]
