"""Flags of commands, made from the fields of settings."""

import inspect
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from functools import wraps
from types import UnionType
from typing import Annotated, Any, get_args

import typer
from typer import Option

from siamese_tf.config.settings import PANELS, Setting, Settings

Command = Callable[..., None]


def with_settings(
    cls: type[Settings],
    names: Collection[str] | None = None,
    *,
    required: Collection[str] = (),
    show_default: Mapping[str, str | bool] | None = None,
) -> Callable[[Command], Command]:
    """Returns a decorator that gives a command a flag for each setting.

    The command is called with the settings that were typed, by name, as its first argument.

    Args:
        cls: the settings.
        names: the settings that the command has; None means all.
        required: the settings that must be typed.
        show_default: by name, what the help page shows as the default instead.
    """
    described = cls.settings()
    names = described.keys() if names is None else names
    chosen = sorted((name for name in described if name in names), key=lambda name: PANELS.index(described[name].panel))
    types = {one.name: one.type for one in fields(cls)}
    shown = dict.fromkeys(required, False) | dict(show_default or {})

    def decorate(command: Command) -> Command:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

        @wraps(command)
        def run(context: typer.Context, **values: Any) -> None:
            given = {name: _parse(context.params[name], types[name]) for name in chosen if _is_typed(context, name)}
            command(given, **{name: value for name, value in values.items() if name not in chosen})

        panels = _panels({name: described[name].panel for name in chosen})
        options = [_option(name, described[name], types[name], panels[name], shown.get(name)) for name in chosen]
        defaults = cls.defaults() | dict.fromkeys(required, inspect.Parameter.empty)
        parameters = [
            inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
            *(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=option)
                for name, option in zip(chosen, options, strict=True)
            ),
            *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return run

    return decorate


def _panels(panels: Mapping[str, str | None]) -> dict[str, str | None]:
    """Returns the help panel of each setting; a panel with one setting is merged into the first."""
    sizes = Counter(panels.values())
    return {name: panel if sizes[panel] > 1 else None for name, panel in panels.items()}


def _option(name: str, described: Setting, kind: Any, panel: str | None, show_default: str | bool | None) -> Any:
    """Returns the annotation of a parameter."""
    flag = f"--{name.replace('_', '-')}"
    flags = [described.flag, flag] if described.flag else [flag]
    of_bool, optional = bool in (kind, *get_args(kind)), isinstance(kind, UnionType)
    if of_bool and optional:
        flags = [f"{one}/--no-{one.removeprefix('--')}" for one in flags]
    if show_default is None:
        show_default = described.show_default or True
    option = Option(
        *flags,
        help=described.help,
        show_default=show_default,
        metavar=described.metavar,
        rich_help_panel=panel,
    )
    several = optional and len(get_args(kind)) > 2  # a number or a word: Typer knows no unions
    return Annotated[str | None if several else kind, option]


def _is_typed(context: typer.Context, name: str) -> bool:
    """Returns True unless the value of a parameter is its default; a script's own default counts as typed."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _parse(value: Any, kind: Any) -> Any:
    """Returns text as a number if it is one and the setting takes numbers as well as words."""
    if isinstance(value, str) and float in get_args(kind):
        try:
            return float(value)
        except ValueError:
            return value
    return value
