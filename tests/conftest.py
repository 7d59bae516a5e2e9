"""What holds for every test: no network beyond this machine, no cache but its own, and no start-up talk of TensorFlow.

And what the tests of the commands share: `call` and `run`, which type a command in this process.
"""

import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from siamese_tf.onednn import enable_onednn

enable_onednn()  # before a test imports TensorFlow, as in a process that imports siamese_tf first
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read once, when TensorFlow is first imported

ANSI = re.compile(r"\x1b\[[0-9;]*m")
THIS_MACHINE = (None, "localhost", "127.0.0.1", "::1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not any(item.iter_markers("train")) and not any(item.iter_markers("slow")):
            item.add_marker("unit")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def refuse(host, *args, **kwargs):
        if host not in THIS_MACHINE:
            pytest.fail(f"This test asked the network for {host}: tests must not depend on what answers there.")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True, scope="session")
def _no_bfloat16() -> Iterator[None]:
    """Trainings in this process compute in float32 unless they say otherwise, on every processor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("siamese_tf.training.precision.CPUINFO", Path("missing"))
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIAMESE_TF_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def call() -> Callable[..., int]:
    """Runs a command line in this process: of `siamese-tf`, or of another `main`; returns the exit code."""
    from siamese_tf import cli

    def type_in(line: str | list[str], program: str = "siamese-tf", main: Callable[[], object] = cli.main) -> int:
        words = line.split() if isinstance(line, str) else line
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [program, *words])
            patch.setenv("COLUMNS", "200")
            try:
                main()
            except SystemExit as end:
                return end.code or 0
        return 0

    return type_in


@pytest.fixture
def run(call: Callable[[str], int], capfd: pytest.CaptureFixture) -> Callable[[str], SimpleNamespace]:
    """Types a command; exit code, stdout and stderr."""

    def type_in(line: str) -> SimpleNamespace:
        capfd.readouterr()
        code = call(line)
        out, err = capfd.readouterr()
        return SimpleNamespace(code=code, out=ANSI.sub("", out), err=ANSI.sub("", err))

    return type_in
