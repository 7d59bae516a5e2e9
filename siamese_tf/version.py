"""Package version, in a separate file so that `setup.py` can read it without importing the package."""

__version__ = "0.1.0"
