"""Choice of the numeric precision of training by what the processor computes fast."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # of Linux
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}  # x86 instructions


def fast_precision(gpus: int) -> str:
    """Returns `bfloat16` for a processor that is known to have instructions for it, else `float32`.

    Args:
        gpus: number of GPUs that TensorFlow uses; with any, the result is `float32`, as GPUs were not measured.
    """
    return "bfloat16" if not gpus and _has_bfloat16() else "float32"


def _has_bfloat16() -> bool:
    try:
        lines = CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    return not BFLOAT16_FLAGS.isdisjoint(flags.split())
