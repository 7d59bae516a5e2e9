"""What holds for every test: no network beyond this machine, and TensorFlow's start-up talk left out."""

import os
import socket

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read once, when TensorFlow is first imported

THIS_MACHINE = (None, "localhost", "127.0.0.1", "::1")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def refuse(host, *args, **kwargs):
        if host not in THIS_MACHINE:
            pytest.fail(f"This test asked the network for {host}: tests must not depend on what answers there.")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
