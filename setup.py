"""How to install siamese_tf; the tools' settings are in `pyproject.toml`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

VERSION_FILE = Path(__file__).resolve().parent / "siamese_tf" / "version.py"
VERSION = re.search(r'^__version__ = "(.+)"$', VERSION_FILE.read_text(encoding="utf-8"), re.MULTILINE).group(1)

KERAS_2 = 'python_version < "3.12"'
KERAS_3 = 'python_version >= "3.12"'
# TensorFlow Addons ended with 0.23: wheels for these machines, for Python up to 3.11, and none after.
ADDONS = '(platform_system == "Darwin" or (platform_system == "Linux" and platform_machine == "x86_64"))'

setup(
    name="siamese_tf",
    version=VERSION,
    description="Learn from labelled images whether two images show the same thing.",
    author="the siamese_tf authors",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["siamese_tf", "siamese_tf.*"]),
    entry_points={"console_scripts": ["siamese-tf = siamese_tf.cli:main"]},
    install_requires=[
        f"tensorflow>=2.15,<2.16; {KERAS_2}",
        f"tensorflow-addons>=0.23,<0.24; {KERAS_2} and {ADDONS}",
        f"numpy>=1.23.5,<2; {KERAS_2}",
        f"setuptools<82; {KERAS_2}",  # the command `tensorboard` 2.15 imports pkg_resources, which 82 dropped
        f"tensorflow>=2.18; {KERAS_3}",
        f"tensorboard>=2.18; {KERAS_3}",  # TensorFlow 2.21 no longer brings it, and the training logs need it
        f"numpy>=1.26; {KERAS_3}",
        "pillow>=10.1",
        "scikit-learn>=1.3.2",
        "scipy>=1.11",  # scikit-learn brings it; Student's t for intervals over seeds
        "threadpoolctl>=3.1",  # scikit-learn brings it; it makes a t-SNE map the same on any number of processors
        "matplotlib>=3.8",
        "h5py>=3.10",
        "typer>=0.12.4",
        "rich>=13.0",
    ],
    extras_require={"dev": ["pytest>=8.0", "ruff>=0.17,<0.18", "mypy>=1.11"]},
)
