"""The parts of a machine on which the bits of a training depend."""

import os
from importlib.metadata import version
from typing import Any

import tensorflow as tf

NAMES = {
    "processors": "number of processors",
    "intra_op_threads": "TensorFlow's intra-op threads",
    "inter_op_threads": "TensorFlow's inter-op threads",
    "gpus": "number of GPUs",
    "tensorflow": "TensorFlow's version",
    "keras": "Keras' version",
}


def environment() -> dict[str, Any]:
    """Returns the keys of NAMES for this process; a thread count of 0 is TensorFlow's own choice."""
    return {
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        "gpus": len(tf.config.list_physical_devices("GPU")),
        "tensorflow": version("tensorflow"),
        "keras": version("keras"),
    }


def environment_changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Returns what differs between two environments, in words; of an empty one, as of old checkpoints, nothing."""
    return [
        f"{words} was {before[name]} and is now {now[name]}"
        for name, words in NAMES.items()
        if name in before and before[name] != now[name]
    ]
