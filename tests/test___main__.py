import subprocess
import sys

from siamese_tf.version import __version__


def test_the_package_runs_as_the_command():
    done = subprocess.run([sys.executable, "-m", "siamese_tf", "--version"], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == (__version__, "")
