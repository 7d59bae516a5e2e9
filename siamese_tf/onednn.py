"""oneDNN, TensorFlow's fast convolutions, on every x86 processor."""

import os
import platform
import sys

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"  # read when TensorFlow is imported


def enable_onednn() -> None:
    """Enables oneDNN for this process, unless the environment variable has a value or TensorFlow is imported already.

    By default, TensorFlow enables it only on processors with AVX-512 VNNI. On those with AVX2, a training step takes
    40 to 75% of the time with it (compare `TF_ENABLE_ONEDNN_OPTS=0 python main3.py`).
    """
    if platform.machine().lower() in ("x86_64", "amd64") and "tensorflow" not in sys.modules:
        os.environ.setdefault(VARIABLE, "1")
