"""Checks the source: the order of the layers, forbidden imports, sizes of files and functions, a test for each module.

`LAYERS` below is the only list of the layers; `docs/architecture.md` describes what each one contains.
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
BENCHMARKS = ROOT / "benchmarks"

# From low to high. A module imports from its own layer and from the layers before it, never from a later one.
BASE = (
    "errors",
    "version",
    "home",
    "locks",
    "files",
    "onednn",
    "printable",
    "zip_layout",
    "registration",
)  # for all layers
LAYERS = (
    *BASE,
    "config",
    *("data.images", "data.sources", "data.sampling", "data.pairs", "data"),
    *("models", "losses", "evaluation", "training", "experiments", "inference"),
    *("console", "commands", "cli"),
    *("__main__", "__init__"),  # entry points for users; no module of the package imports them
)
# Packages that may import less than all layers before them.
MAY_IMPORT = {
    "data": ("config",),
    # A model also scores image files, prepared the way its training images were.
    "models": ("config", "data.images"),
    "losses": ("models.distances",),
    "evaluation": ("config", "data", "models"),
    "inference": ("data", "models", "evaluation"),
}
WITHOUT_TENSORFLOW = LAYERS[: LAYERS.index("models")]
TENSORFLOW = {"tensorflow", "keras", "tensorflow_addons", "tensorboard"}
RUN_CODE_FROM_FILES = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
MAX_LINES = 200
MAX_MEAN_LINES = 100
MAX_FUNCTION_LINES = 40  # without signature and docstring
HINT = (
    "LAYERS and MAY_IMPORT in tests/test_architecture.py list what each layer may import. Move the shared code to an "
    "earlier layer, or change the lists together with docs/architecture.md."
)
HINTS = {"__init__": "`siamese_tf` itself is for users: import the module that defines the name."}


def modules(package: Path) -> dict[str, Path]:
    """Returns a dictionary from dotted name below the package (`data.idx`; `data` for its `__init__.py`) to file."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))


def imported(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Yields line and absolute dotted name of everything a file imports, at its top or inside a function."""
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
    """Yields line and name (as in `modules`) of each import from the package; `__init__` is the package itself."""
    known = modules(package)
    for line, name in imported(path, package):
        top, *parts = name.split(".")
        if top != package.name:
            continue
        while parts and ".".join(parts) not in known and (len(parts) > 1 or parts[0] not in LAYERS):
            parts.pop()  # the last part names a function or class inside a module
        yield line, ".".join(parts) or "__init__"


def layer(module: str) -> str:
    """Returns the longest name in LAYERS that the module is or is part of."""
    parts = module.split(".")
    names = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return next((name for name in names if name in LAYERS), parts[0])


def may_import(module: str, other: str) -> bool:
    own, theirs = layer(module), layer(other)
    if own == theirs:
        return True
    top = own.split(".")[0]
    if top in MAY_IMPORT and theirs not in BASE and top != theirs.split(".")[0]:
        return any(f"{other}.".startswith(f"{allowed}.") for allowed in MAY_IMPORT[top])
    return LAYERS.index(theirs) < LAYERS.index(own)


def wrong_imports(package: Path) -> list[str]:
    found = []
    for module, path in modules(package).items():
        if layer(module) not in LAYERS:
            found.append(f"{path}: belongs to no layer. Move it into a package that has one, or add it to LAYERS.")
            continue
        found += [
            f"{path}:{line}: {module} may not import {other}. {HINTS.get(other, HINT)}"
            for line, other in imported_modules(path, package)
            if not may_import(module, other)
        ]
    return found


def import_cycles(folder: Path) -> list[str]:
    """Finds a cycle among the modules of a package, or among scripts in one folder that import each other by name."""
    if (folder / "__init__.py").exists() or folder.name == PACKAGE.name:
        graph = {
            module: {other for _, other in imported_modules(path, folder)} for module, path in modules(folder).items()
        }
    else:
        scripts = modules(folder)
        graph = {
            script: {name.split(".")[0] for _, name in imported(path, folder)} & set(scripts)
            for script, path in scripts.items()
        }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        cycle = " imports ".join(reversed(error.args[1]))
        return [f"{cycle}: an import cycle. Move the shared code into a module of its own."]
    return []


def early_tensorflow_imports(package: Path) -> list[str]:
    return [
        f"{path}:{line}: {module} imports {name}; the layers {', '.join(WITHOUT_TENSORFLOW)} must not load TensorFlow."
        for module, path in modules(package).items()
        if layer(module) in WITHOUT_TENSORFLOW
        for line, name in imported(path, package)
        if name.split(".")[0] in TENSORFLOW
    ]


def forbidden(package: Path) -> list[str]:
    found = []
    for path in modules(package).values():
        for line, name in imported(path, package):
            if name.split(".")[0] in RUN_CODE_FROM_FILES:
                found.append(f"{path}:{line}: {name} can run code stored in a file; store arrays and JSON instead.")
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
            return "allow_pickle may only be False: a pickle can run code stored in a file."
        case ast.keyword(arg="safe_mode", value=value) if not is_constant(value, True):
            return "safe_mode may only be True: otherwise Keras runs code stored in a file."
    return None


def is_constant(node: ast.expr, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def line_counts(package: Path) -> dict[Path, int]:
    return {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules(package).values()}


def long_files(package: Path) -> list[str]:
    return [
        f"{path}: must have at most {MAX_LINES} lines; got {length}. Split it by idea."
        for path, length in line_counts(package).items()
        if length > MAX_LINES
    ]


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Returns the number of lines from the first statement after the docstring to the end."""
    start = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (function.end_lineno or 0) - start[0].lineno + 1 if start else 0


def long_functions(package: Path) -> list[str]:
    return [
        f"{path}:{node.lineno}: {node.name} must have at most {MAX_FUNCTION_LINES} lines; got {length}. Split it."
        for path in modules(package).values()
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := code_lines(node)) > MAX_FUNCTION_LINES
    ]


def unpaired(package: Path, tests: Path) -> list[str]:
    """Finds modules without a test and tests without a module; tests directly in `tests/` may be of any name.

    `test_train_resume.py` is a part of the tests of `train.py` if there is a `test_train.py`.
    """
    wanted = {
        tests / path.relative_to(package).with_name(f"test_{path.name}"): path
        for path in modules(package).values()
        if path.name != "__init__.py"
    }
    missing = [f"{path}: has no test. Write {test}." for test, path in wanted.items() if not test.is_file()]
    strays = [
        f"{test}: tests no module of that name. Rename it, or move a test of several modules to tests/."
        for test in sorted(tests.glob("*/**/test_*.py"))
        if (package / test.relative_to(tests).parts[0]).is_dir()
        and not any(
            test.parent == module_test.parent and (test.stem + "_").startswith(module_test.stem + "_")
            for module_test in wanted
        )
    ]
    return missing + strays


def report(found: list[str]) -> str:
    return "\n" + "\n".join(found)


def test_the_package_and_the_benchmarks_are_found():
    assert len(modules(PACKAGE)) > 100
    assert len(modules(BENCHMARKS)) > 5


@pytest.mark.parametrize(
    "rule", [wrong_imports, import_cycles, early_tensorflow_imports, forbidden, long_files, long_functions]
)
def test_the_package_follows_the_rule(rule):
    found = rule(PACKAGE)
    assert not found, report(found)


@pytest.mark.parametrize("rule", [import_cycles, forbidden, long_files, long_functions])
def test_the_benchmarks_follow_the_rule(rule):
    found = rule(BENCHMARKS)
    assert not found, report(found)


def test_the_mean_file_of_the_package_is_short():
    counts = line_counts(PACKAGE)
    mean = sum(counts.values()) / len(counts)
    assert mean <= MAX_MEAN_LINES, f"The mean file length must be at most {MAX_MEAN_LINES} lines; got {mean:.0f}."


def test_every_module_has_its_test_and_every_test_its_module():
    found = unpaired(PACKAGE, TESTS)
    assert not found, report(found)


def test_what_needs_no_tensorflow_does_not_load_it():
    names = [f"siamese_tf.{name}" for name in modules(PACKAGE) if layer(name) in WITHOUT_TENSORFLOW]
    script = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module(name)\n"
        f"    loaded = sorted(set(sys.modules) & {TENSORFLOW})\n"
        "    assert not loaded, f'import {name} loads {loaded}: must load no TensorFlow, directly or indirectly.'\n"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# Tests of the checks, on small example packages.


EXAMPLE = ("models/distances.py", "models/heads.py", "data/sampling/split.py", "data/pairs/audit.py")


@pytest.fixture
def write(tmp_path):
    """Writes files below an example package `siamese_tf`; returns the package's folder."""
    package = tmp_path / "siamese_tf"

    def write_files(files: dict[str, str]) -> Path:
        for name, text in {**dict.fromkeys(EXAMPLE, ""), **files}.items():
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
def test_an_import_from_a_later_layer_is_found(write, name, line):
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
def test_an_import_from_an_earlier_layer_is_allowed(write, name, line):
    assert wrong_imports(write({name: line})) == []


def test_an_import_cycle_within_a_layer_is_found(write):
    package = write({"data/pairs.py": "from .split import by_image", "data/split.py": "import siamese_tf.data.audit"})
    assert import_cycles(package) == []
    (package / "data/audit.py").write_text("def audit():\n    from . import pairs")
    (complaint,) = import_cycles(package)
    assert all(name in complaint for name in ("data.pairs", "data.split", "data.audit"))


def test_an_import_cycle_between_scripts_is_found(tmp_path):
    for name, line in {"a": "from b import c", "b": "import siamese_tf.b", "c": "import a"}.items():
        (tmp_path / f"{name}.py").write_text(line, encoding="utf-8")
    assert import_cycles(tmp_path) == []
    (tmp_path / "b.py").write_text("def show():\n    from c import d", encoding="utf-8")
    (complaint,) = import_cycles(tmp_path)
    assert complaint.split(":")[0].count(" imports ") == 3


@pytest.mark.parametrize("line", ["import tensorflow as tf", "def f():\n    from tensorflow.keras import layers"])
@pytest.mark.parametrize(("name", "count"), [("data/idx.py", 1), ("config.py", 1), ("models/towers.py", 0)])
def test_an_import_of_tensorflow_in_an_early_layer_is_found(write, name, count, line):
    assert len(early_tensorflow_imports(write({name: line}))) == count


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
    package = write({"data/long.py": "\n" * (MAX_LINES + 1), "data/short.py": "\n" * MAX_LINES})
    (complaint,) = long_files(package)
    assert "long.py" in complaint


@pytest.mark.parametrize(("extra", "count"), [(0, 0), (1, 1)])
@pytest.mark.parametrize("docstring", ["", '    """Two\n    lines."""\n'])
def test_a_long_function_is_found(write, docstring, extra, count):
    text = "def long(\n    a,\n):\n" + docstring + "    a = 1\n" * (MAX_FUNCTION_LINES + extra)
    assert len(long_functions(write({"data/long.py": text}))) == count


def test_a_function_of_a_docstring_alone_has_no_lines_of_code(write):
    assert long_functions(write({"data/short.py": 'def f():\n    """Returns nothing."""\n'})) == []


def test_a_missing_test_and_a_stray_one_are_found(write, tmp_path):
    package = write({"config.py": "", "__init__.py": "", "models/__init__.py": ""})
    tests = tmp_path / "tests"
    (tests / "models").mkdir(parents=True)
    for name in EXAMPLE[2:]:
        (package / name).unlink()
    for name in ("test_config.py", "test_readme.py", "models/test_distances.py", "models/test_head.py"):
        (tests / name).touch()
    missing, stray = unpaired(package, tests)
    assert "heads.py: has no test" in missing
    assert "test_head.py: tests no module" in stray
