"""Checks of settings by name. Each raises a ConfigError that names the setting, the accepted values and the value."""

import math
from collections.abc import Collection, Iterable

from siamese_tf.errors import ConfigError


def either(names: Iterable[object]) -> str:
    """Returns one or more names as text, such as `a, b or c`."""
    *others, last = map(str, names)
    return f"{', '.join(others)} or {last}" if others else last


def check_text(name: str, value: object, optional: bool = False) -> None:
    """Raises a ConfigError unless the value is a string, or None if `optional`."""
    if not isinstance(value, str) and not (optional and value is None):
        raise ConfigError(f"{name} must be text{' or None' if optional else ''}; got {value!r}. Use str(path)")


def check_choice(
    name: str, value: object, choices: Collection[str | bool | None], also: str | None = None, optional: bool = False
) -> None:
    """Raises a ConfigError unless the value is one of the choices, or `also`, or None if `optional`."""
    accepted = [*choices, *([also] if also else [])]
    if value not in accepted and not (optional and value is None):
        known = ", ".join(str(choice) for choice in accepted if choice is not None)
        raise ConfigError(f"{name} must be one of {known}; got {value!r}")


def check_whole(name: str, value: object, low: int, high: int, optional: bool = False) -> None:
    """Raises a ConfigError unless the value is an integer from `low` to `high`, or None if `optional`."""
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be an integer from {low:,} to {high:,}; got {value!r}")


def check_number(
    name: str, value: object, *, above: bool = False, below: float = math.inf, optional: bool = False, word: str = ""
) -> None:
    """Raises a ConfigError unless the value is a number of at least 0.

    Args:
        name: name of the setting.
        value: value to check.
        above: refuse 0, too.
        below: exclusive upper bound.
        optional: accept None.
        word: string to accept as well.
    """
    if (optional and value is None) or (word and value == word):
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (0 < value < below or (value == 0 and not above)):  # type: ignore[operator]
        bounds = ["above 0" if above else "of at least 0", *([f"below {below:g}"] if below < math.inf else [])]
        raise ConfigError(
            f"{name} must be a number {' and '.join(bounds)}{f', or {word}' if word else ''}; got {value!r}"
        )
