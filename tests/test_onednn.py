"""oneDNN is enabled before TensorFlow is imported, unless the user decided otherwise."""

import os
import platform
import subprocess
import sys

import pytest

from siamese_tf import onednn

PRINT = "import siamese_tf, os; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"


@pytest.mark.parametrize(
    ("machine", "given", "expected"),
    [("x86_64", None, "1"), ("AMD64", None, "1"), ("arm64", None, None), ("x86_64", "0", "0"), ("aarch64", "1", "1")],
)
def test_it_is_enabled_on_x86_unless_the_variable_has_a_value(monkeypatch, machine, given, expected):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(sys, "modules", {})
    monkeypatch.delenv(onednn.VARIABLE, raising=False)
    if given is not None:
        monkeypatch.setenv(onednn.VARIABLE, given)
    onednn.enable_onednn()
    assert os.environ.get(onednn.VARIABLE) == expected


def test_an_imported_tensorflow_is_left_alone(monkeypatch):
    """The variable would no longer have an effect, and `environment` would name a wrong value."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.delenv(onednn.VARIABLE, raising=False)
    onednn.enable_onednn()
    assert onednn.VARIABLE not in os.environ


def test_importing_the_package_enables_it():
    """In a new process, since this one may have imported TensorFlow."""
    environment = {name: value for name, value in os.environ.items() if name != onednn.VARIABLE}
    outcome = subprocess.run([sys.executable, "-c", PRINT], env=environment, capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == ("1" if platform.machine() in ("x86_64", "AMD64") else "None")
