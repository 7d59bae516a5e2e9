"""Functions and classes named as `"module:name"`, imported when they are needed."""

import importlib
from typing import Any


def load_builder(name: str) -> Any:
    """Imports the function or class that a row of the catalog names.

    Args:
        name: `"module:name"`, from a row of the catalog and never from a file.

    Raises:
        ImportError: there is no such module.
        AttributeError: the module has no such name.
        ValueError: the text is not of this form.
    """
    module, separator, attribute = name.partition(":")
    if not (module and separator and attribute):
        raise ValueError(f"a builder must be 'module:name'; got {name!r}")
    return getattr(importlib.import_module(module), attribute)
