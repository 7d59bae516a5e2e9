"""`setup.py` is read in a process of its own, with `setuptools.setup` replaced by a printer of its arguments."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from siamese_tf.version import __version__

ROOT = Path(__file__).resolve().parents[1]
PRINT_SETUP = """
import json, runpy, sys, setuptools
setuptools.setup = lambda **arguments: print(json.dumps(arguments))
runpy.run_path("setup.py")
assert "siamese_tf" not in sys.modules, "setup.py imports the package, whose dependencies are not there yet."
"""


@pytest.fixture(scope="module")
def declared() -> dict:
    result = subprocess.run([sys.executable, "-c", PRINT_SETUP], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_version_is_the_packages_own(declared):
    assert declared["version"] == __version__


def test_every_folder_with_a_module_is_installed(declared):
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "siamese_tf").rglob("*.py")}

    assert set(declared["packages"]) == {".".join(folder.parts) for folder in folders}, (
        "find_packages skips a folder that has no __init__.py."
    )


@pytest.mark.parametrize(
    ("python", "machine", "accepted", "refused", "addons"),
    [
        ("3.11", "x86_64", "2.15.1", "2.16.1", True),
        ("3.11", "aarch64", "2.15.1", "2.16.1", False),
        ("3.12", "x86_64", "2.21.0", "2.15.1", False),
        ("3.13", "x86_64", "2.21.0", "2.15.1", False),
    ],
)
def test_markers_choose_the_stack(declared, python, machine, accepted, refused, addons):
    where = {"python_version": python, "platform_system": "Linux", "platform_machine": machine}
    requirements = [Requirement(line) for line in declared["install_requires"]]
    chosen = [r for r in requirements if r.marker is None or r.marker.evaluate(where)]
    names = [r.name for r in chosen]

    assert len(names) == len(set(names)), "a package is asked for twice on one Python"
    (tensorflow,) = [r for r in chosen if r.name == "tensorflow"]
    assert accepted in tensorflow.specifier
    assert refused not in tensorflow.specifier
    assert ("tensorflow-addons" in names) == addons
