"""Checks of settings by name: each raises a ConfigError that says what came and what was expected."""

import math

from siamese_tf.errors import ConfigError


def check_text(name: str, value: object, optional: bool = False) -> None:
    """Text, or None where it is optional."""
    if not isinstance(value, str) and not (optional and value is None):
        raise ConfigError(f"{name} must be text{' or None' if optional else ''}; got {value!r}. Use str(path)")


def check_choice(name: str, value: object, choices: tuple[str | bool | None, ...]) -> None:
    """One of the choices."""
    if value not in choices:
        known = ", ".join(str(choice) for choice in choices if choice is not None)
        raise ConfigError(f"{name} must be one of {known}; got {value!r}")


def check_whole(name: str, value: object, low: int, high: int, optional: bool = False) -> None:
    """A whole number from `low` to `high`, or None where it is optional."""
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low:,} to {high:,}; got {value!r}")


def check_number(
    name: str, value: object, *, above: bool = False, below: float = math.inf, optional: bool = False, or_text: str = ""
) -> None:
    """A number from 0 on, 0 itself only without `above`, and under `below`; or None where it is optional.

    `or_text` is what the message names besides, where the caller takes a word as well.
    """
    if optional and value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (0 < value < below or (value == 0 and not above)):  # type: ignore[operator]
        kind = "a number above 0" if above else "a number from 0 on"
        kind += f", below {below:g}" if below < math.inf else ""
        raise ConfigError(f"{name} must be {kind}{f', or {or_text}' if or_text else ''}; got {value!r}")
