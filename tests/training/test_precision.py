"""Precision of training by processor."""

import pytest

from siamese_tf.training import precision

FLAGS = "processor\t: 0\nflags\t\t: fpu sse2 {} avx2\n\nprocessor\t: 1\nflags\t\t: fpu\n"


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "CPUINFO", path)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FLAGS.format("avx512_bf16"), "bfloat16"),
        (FLAGS.format("amx_bf16 amx_tile"), "bfloat16"),
        (FLAGS.format("avx512f"), "float32"),
        (FLAGS.format("no_avx512_bf16_here"), "float32"),
        ("Features\t: fp asimd bf16\n", "float32"),  # ARM: not measured
        ("", "float32"),
    ],
)
def test_bfloat16_needs_instructions_for_it(cpuinfo, text, expected):
    cpuinfo.write_text(text)
    assert precision.fast_precision(gpus=0) == expected
    assert precision.fast_precision(gpus=1) == "float32"


def test_an_unknown_processor_computes_in_float32(cpuinfo):
    assert precision.fast_precision(gpus=0) == "float32"
