"""The rules of the house, checked on the source: the order of the floors, what may not be used, a test for each module.

The picture is in `docs/architecture.md`; the one list that says which way is up is `FLOORS`, here.
"""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
PACKAGE = ROOT / "siamese_tf"

# From the ground up. A module imports from its own floor and from the floors left of it, never rightwards.
GROUND = ("errors", "version", "home", "locks", "files", "printable", "zip_layout", "registration")  # known to all
FLOORS = (
    *GROUND,
    "config",
    *("data.images", "data.sources", "data.sampling", "data.pairs", "data"),
    *("models", "losses", "evaluation", "training", "experiments", "inference"),
    *("console", "commands", "cli"),
    *("__main__", "__init__"),  # the doors of the package: nobody inside comes in through them
)
# Floors that know less than all to their left.
KNOWS_ONLY = {
    "data": ("config",),
    # A model scores image files, too, by the rule it was trained with.
    "models": ("config", "data.images"),
    "losses": ("models.distances",),
    "evaluation": ("data", "models"),
    "inference": ("data", "models", "evaluation"),
}
WITHOUT_TENSORFLOW = FLOORS[: FLOORS.index("models")]
TENSORFLOW = {"tensorflow", "keras", "tensorflow_addons", "tensorboard"}
RUN_CODE_FROM_FILES = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
TOO_LONG = 250
HINT = (
    "What each floor may know stands in FLOORS and KNOWS_ONLY, tests/test_architecture.py: move what both need to the "
    "left; where the wall itself is wrong, move it there and in docs/architecture.md together."
)
HINTS = {"__init__": "That is the package's own door, for users: import the module that holds the name."}


def modules(package: Path) -> dict[str, Path]:
    """Dotted name below the package (`data.idx`; `data` for its `__init__.py`) -> file."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))


def imported(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything a file imports, at its top or inside a function."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                folder = (package.name, *path.relative_to(package).parent.parts)
                base = ".".join([*folder[: len(folder) - node.level + 1], *([base] if base else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def imported_modules(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Line and name (as in `modules`) of what a file imports from the package; `__init__` is the package itself."""
    known = modules(package)
    for line, name in imported(path, package):
        top, *parts = name.split(".")
        if top != package.name:
            continue
        while parts and ".".join(parts) not in known and (len(parts) > 1 or parts[0] not in FLOORS):
            parts.pop()  # the last part names a function or class inside a module
        yield line, ".".join(parts) or "__init__"


def floor(module: str) -> str:
    """The longest of FLOORS that the module is or is in."""
    parts = module.split(".")
    names = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return next((name for name in names if name in FLOORS), parts[0])


def may_know(module: str, other: str) -> bool:
    own, theirs = floor(module), floor(other)
    if own == theirs:
        return True
    top = own.split(".")[0]
    if top in KNOWS_ONLY and theirs not in GROUND and top != theirs.split(".")[0]:
        return any(f"{other}.".startswith(f"{allowed}.") for allowed in KNOWS_ONLY[top])
    return FLOORS.index(theirs) < FLOORS.index(own)


def wrong_imports(package: Path) -> list[str]:
    found = []
    for module, path in modules(package).items():
        if floor(module) not in FLOORS:
            found.append(f"{path}: stands on no floor; move it to the folder it belongs to, or add it to FLOORS.")
            continue
        found += [
            f"{path}:{line}: {module} may not import {other}. {HINTS.get(other, HINT)}"
            for line, other in imported_modules(path, package)
            if not may_know(module, other)
        ]
    return found


def circles(package: Path) -> list[str]:
    graph = {
        module: {other for _, other in imported_modules(path, package)} for module, path in modules(package).items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = " imports ".join(reversed(error.args[1]))
        return [f"{circle}: a circle. One of them is the lower one and must do without the others."]
    return []


def tensorflow_too_low(package: Path) -> list[str]:
    return [
        f"{path}:{line}: {module} imports {name}: floors {', '.join(WITHOUT_TENSORFLOW)} load no TensorFlow."
        for module, path in modules(package).items()
        if floor(module) in WITHOUT_TENSORFLOW
        for line, name in imported(path, package)
        if name.split(".")[0] in TENSORFLOW
    ]


def forbidden(package: Path) -> list[str]:
    found = []
    for path in modules(package).values():
        for line, name in imported(path, package):
            if name.split(".")[0] in RUN_CODE_FROM_FILES:
                found.append(f"{path}:{line}: {name} can run code that a file brings; store arrays and JSON instead.")
            if name.split(".")[0] == "keras":
                found.append(f"{path}:{line}: imports {name}; `from tensorflow import keras` works on both stacks.")
            if name.endswith(".Lambda"):
                found.append(f"{path}:{line}: Lambda layers cannot be loaded safely; write a small named layer.")
            if f"{name}.".startswith(("tensorflow.keras.src.", "tensorflow.python.")):
                found.append(f"{path}:{line}: {name} is private and differs between versions; use a public name.")
        found += [f"{path}:{node.lineno}: {why}" for node in nodes(path) if (why := forbidden_expression(node))]
    return found


def forbidden_expression(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id="eval" | "exec" as name)):
            return f"{name} runs text as code; parse the text instead."
        case ast.Attribute(attr="Lambda"):
            return "Lambda layers cannot be loaded safely; write a small named layer."
        case ast.Attribute(attr="src", value=ast.Name(id="keras") | ast.Attribute(attr="keras")):
            return "keras.src is private and differs between versions; use a public name."
        case ast.keyword(arg="allow_pickle", value=value) if not is_constant(value, False):
            return "allow_pickle may only be False: a pickle can run code that a file brings."
        case ast.keyword(arg="safe_mode", value=value) if not is_constant(value, True):
            return "safe_mode may only be True: without it Keras runs code that a file brings."
    return None


def is_constant(node: ast.expr, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def long_files(package: Path) -> list[str]:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules(package).values()}
    return [
        f"{path}: {length} lines; a file of {TOO_LONG} or more holds more than one idea: split it."
        for path, length in lengths.items()
        if length >= TOO_LONG
    ]


def unpaired(package: Path, tests: Path) -> list[str]:
    """Modules without their test, and tests in a floor's folder without their module; the top of `tests/` is free."""
    wanted = {
        tests / path.relative_to(package).with_name(f"test_{path.name}"): path
        for path in modules(package).values()
        if path.name != "__init__.py"
    }
    missing = [f"{path}: has no test; write {test}." for test, path in wanted.items() if not test.is_file()]
    strays = [
        f"{test}: tests no module of that name; rename it, or move a test of several modules to the top of tests/."
        for test in sorted(tests.glob("*/**/test_*.py"))
        if (package / test.relative_to(tests).parts[0]).is_dir() and test not in wanted
    ]
    return missing + strays


def report(found: list[str]) -> str:
    return "\n" + "\n".join(found)


@pytest.mark.parametrize("rule", [wrong_imports, circles, tensorflow_too_low, forbidden, long_files])
def test_the_package_keeps_the_rule(rule):
    assert len(modules(PACKAGE)) > 10, f"Found hardly a module in {PACKAGE}: the check looks in the wrong place."
    found = rule(PACKAGE)
    assert not found, report(found)


def test_every_module_has_its_test_and_every_test_its_module():
    found = unpaired(PACKAGE, TESTS)
    assert not found, report(found)


def test_what_needs_no_tensorflow_does_not_load_it():
    names = [f"siamese_tf.{name}" for name in modules(PACKAGE) if floor(name) in WITHOUT_TENSORFLOW]
    script = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module(name)\n"
        f"    loaded = sorted(set(sys.modules) & {TENSORFLOW})\n"
        "    assert not loaded, f'import {name} loads {loaded}: it must not, directly or by what it imports.'\n"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# The checks themselves, on small made-up packages.


MADE_UP = ("models/distances.py", "models/heads.py", "data/sampling/split.py", "data/pairs/audit.py")


@pytest.fixture
def write(tmp_path):
    """Writes files below a made-up package `siamese_tf`; returns the package's folder."""
    package = tmp_path / "siamese_tf"

    def write_files(files: dict[str, str]) -> Path:
        for name, text in {**dict.fromkeys(MADE_UP, ""), **files}.items():
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_text(text, encoding="utf-8")
        return package

    return write_files


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("errors.py", "from siamese_tf.files import atomic_write"),
        ("config.py", "from . import data"),
        ("data/idx.py", "import siamese_tf.models.heads"),
        ("data/idx.py", "from siamese_tf import models"),
        ("data/idx.py", "from siamese_tf.models import heads"),
        ("data/idx.py", "from siamese_tf.models.heads import cosine"),
        ("data/idx.py", "from ..models import heads"),
        ("data/idx.py", "def read():\n    from ..training.loop import train"),
        ("data/idx.py", "import numpy, siamese_tf.cli"),
        ("data/deeper/idx.py", "from ...models import heads"),
        ("data/images/decode.py", "from siamese_tf.data.pairs import audit"),
        ("data/sampling/split.py", "from ..pairs.audit import audit"),
        ("models/towers.py", "from siamese_tf.data import pairs"),
        ("losses/triplet.py", "from siamese_tf.models import heads"),
        ("losses/triplet.py", "from siamese_tf.models import *"),
        ("losses/triplet.py", "from siamese_tf.config import TrainConfig"),
        ("evaluation/roc.py", "from siamese_tf.losses import mse"),
        ("inference/score.py", "from siamese_tf.training import loop"),
        ("training/loop.py", "from siamese_tf.inference import score"),
        ("training/loop.py", "from siamese_tf import load_model"),
        ("commands/score.py", "from siamese_tf.cli import main"),
        ("cli.py", "import siamese_tf"),
        ("utils.py", ""),
        ("cli.py", "from siamese_tf.errors import SiameseError\nfrom siamese_tf import __version__"),
    ],
)
def test_an_import_rightwards_is_found(write, name, line):
    (complaint,) = wrong_imports(write({name: line}))
    assert name in complaint


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("files.py", "from siamese_tf.errors import SiameseError"),
        (
            "data/pairs/a.py",
            "from .audit import c\nfrom ..sampling.split import d\nfrom ...config import x\nimport numpy.models",
        ),
        ("losses/triplet.py", "from siamese_tf.models import distances\nfrom ..errors import SiameseError"),
        ("losses/triplet.py", "from siamese_tf.models.distances import euclidean"),
        ("inference/score.py", "from siamese_tf.evaluation.metrics import roc\nfrom ..data import images"),
        ("training/loop.py", "from siamese_tf import losses, models, evaluation\nfrom siamese_tf.config import x"),
        ("commands/score.py", "from siamese_tf.console import run_command\nfrom .options import Model"),
        ("cli.py", "from siamese_tf import inference\nfrom siamese_tf.version import __version__"),
        ("__main__.py", "from siamese_tf.cli import main"),
        ("__init__.py", "from siamese_tf.training import train_and_evaluate"),
    ],
)
def test_an_import_leftwards_is_not(write, name, line):
    assert wrong_imports(write({name: line})) == []


def test_a_circle_on_one_floor_is_found(write):
    package = write({"data/pairs.py": "from .split import by_image", "data/split.py": "import siamese_tf.data.audit"})
    assert circles(package) == []
    (package / "data/audit.py").write_text("def audit():\n    from . import pairs")
    (complaint,) = circles(package)
    assert all(name in complaint for name in ("data.pairs", "data.split", "data.audit"))


@pytest.mark.parametrize("line", ["import tensorflow as tf", "def f():\n    from tensorflow.keras import layers"])
@pytest.mark.parametrize(("name", "count"), [("data/idx.py", 1), ("config.py", 1), ("models/towers.py", 0)])
def test_tensorflow_on_a_low_floor_is_found(write, name, count, line):
    assert len(tensorflow_too_low(write({name: line}))) == count


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "import keras",
        "from keras import layers",
        "from tensorflow.keras.layers import Lambda",
        "layer = keras.layers.Lambda(abs)",
        "from tensorflow.keras.src import saving",
        "from tensorflow.python.ops import math_ops",
        "keras.src.saving",
        "tf.keras.src",
        "eval('1')",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
        "keras.models.load_model(path, safe_mode=False)",
    ],
)
def test_what_is_forbidden_is_found(write, line):
    (complaint,) = forbidden(write({"models/towers.py": f"\n{line}"}))
    assert "towers.py:2:" in complaint


def test_what_is_allowed_is_not_forbidden(write):
    text = "from tensorflow import keras\nnp.load(p, allow_pickle=False)\nf = lambda x: x\nname = 'Lambda'\nm.eval()"
    assert forbidden(write({"models/towers.py": text})) == []


def test_a_long_file_is_found(write):
    package = write({"data/long.py": "\n" * TOO_LONG, "data/short.py": "\n" * (TOO_LONG - 1)})
    (complaint,) = long_files(package)
    assert "long.py" in complaint


def test_a_missing_test_and_a_stray_one_are_found(write, tmp_path):
    package = write({"config.py": "", "__init__.py": "", "models/__init__.py": ""})
    tests = tmp_path / "tests"
    (tests / "models").mkdir(parents=True)
    for name in MADE_UP[2:]:
        (package / name).unlink()
    for name in ("test_config.py", "test_readme.py", "models/test_distances.py", "models/test_head.py"):
        (tests / name).touch()
    missing, stray = unpaired(package, tests)
    assert "heads.py: has no test" in missing
    assert "test_head.py: tests no module" in stray
