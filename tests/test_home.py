import os
import pwd
import stat
import subprocess
import sys
import tempfile

import pytest

from siamese_tf import home
from siamese_tf.data.images.cache_folder import cache_folder
from siamese_tf.data.sources.published import load_published
from siamese_tf.errors import SiameseError
from siamese_tf.home import cache_home, expanded, home_folder, temporary_home

FIRST_LINES = """
import os, pwd, sys
def unknown(*_):
    raise KeyError("no such user")
pwd.getpwuid = pwd.getpwnam = unknown
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    """Resets the temporary home, which is chosen once per process, and gives each test its own temporary folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("SIAMESE_TF_CACHE", "SIAMESE_TF_DATA", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    yield
    temporary_home.cache_clear()
    home._announced_temporary_home.cache_clear()


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """Unsets HOME for a user without an entry; returns the path of the temporary home."""

    def unknown(*_):
        raise KeyError("no such user")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)
    return tmp_path / f"siamese_tf-{os.getuid()}"


def test_an_existing_home(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (home_folder(), cache_home()) == (tmp_path, tmp_path / ".cache")
    assert expanded("~/data", "data_dir") == tmp_path / "data"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("value", ["", "/nonexistent/user", "relative"])
def test_an_invalid_home_is_none(monkeypatch, value):
    monkeypatch.setenv("HOME", value)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert home_folder() is None


def test_a_home_that_can_be_created(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "new"))
    assert home_folder() == tmp_path / "new"


def test_without_a_home_the_cache_is_private_temporary_and_announced_once(homeless, capsys):
    assert home_folder() is None
    assert cache_folder() == homeless / "siamese_tf"
    assert stat.S_IMODE(homeless.stat().st_mode) == 0o700
    assert cache_home() == homeless
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"There is no home folder: the cache is {homeless}. Set SIAMESE_TF_CACHE")


@pytest.mark.parametrize("taken", ["readable by others", "a link", "a file", "of another user"])
def test_a_temporary_home_that_others_can_access_is_not_used(homeless, monkeypatch, tmp_path, taken):
    if taken == "a link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        homeless.symlink_to(tmp_path / "theirs")
    elif taken == "a file":
        homeless.touch()
    else:
        homeless.mkdir(mode=0o700)
    if taken == "readable by others":
        homeless.chmod(0o755)
    if taken == "of another user":
        uid = os.getuid()
        homeless.rename(tmp_path / f"siamese_tf-{uid + 1}")
        homeless = tmp_path / f"siamese_tf-{uid + 1}"
        monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    found = temporary_home()
    assert found != homeless
    assert found.parent == tmp_path
    assert (stat.S_IMODE(found.stat().st_mode), found.is_symlink()) == (0o700, False)
    assert temporary_home() == found


@pytest.mark.parametrize("path", ["~", "~/data", "~nobody-of-that-name/data"])
@pytest.mark.parametrize("setting", ["SIAMESE_TF_CACHE", "SIAMESE_TF_DATA", "KERAS_HOME", "data_dir"])
def test_a_tilde_without_a_home_is_refused(homeless, monkeypatch, setting, path):
    data_dir = path if setting == "data_dir" else None
    if data_dir is None:
        monkeypatch.setenv(setting, path)
    with pytest.raises(SiameseError) as refused:
        cache_folder() if setting == "SIAMESE_TF_CACHE" else load_published("fashion-mnist", data_dir)
    assert str(refused.value) == (
        f"{setting} must be a folder, with ~ only if that user has a home folder; got {path}. Use an absolute path"
    )


def test_downloads_go_to_the_temporary_home(homeless, monkeypatch):
    asked = []
    monkeypatch.setattr("siamese_tf.data.sources.published.DEBIAN_FOLDER", homeless / "none")
    monkeypatch.setattr("siamese_tf.data.sources.published.download", lambda url, path, sha256: asked.append(path))
    with pytest.raises(SiameseError):
        load_published("mnist")
    assert asked == [homeless / "keras" / "datasets" / "mnist.npz"]


@pytest.mark.slow
def test_tensorflow_and_matplotlib_are_silent_without_a_home(tmp_path):
    program = FIRST_LINES + (
        "from siamese_tf.console import start_tensorflow\n"
        "start_tensorflow()\n"
        "import siamese_tf.evaluation.plots.training\n"
        "from tensorflow import keras\n"
        "print(os.environ['KERAS_HOME'], os.environ['MPLCONFIGDIR'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "TF_CPP_MIN_LOG_LEVEL")}
    environment |= {"TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    own = tmp_path / f"siamese_tf-{os.getuid()}"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [str(own / "keras"), str(own / "matplotlib")]
