"""Settings as dataclass fields: the default, the help text, the check, the flags and the help panel in one place."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self, TypeVar

from siamese_tf.errors import ConfigError

S = TypeVar("S", bound="Settings")
Check = Callable[[str, object], None]
METADATA_KEY = "setting"
AUTO = "auto"  # value of a setting that is chosen by the machine
# Help panels in the order of the help page; None is the first one.
IMAGES = "Images and classes"
MODEL = "Model"
TRAINING = "Training"
ADVANCED = "Advanced"
PANELS = (None, IMAGES, MODEL, TRAINING, ADVANCED)


@dataclass(frozen=True)
class Setting:
    """Description of a field.

    Attributes:
        help: help text of the flag and description of the field.
        check: called with the name and the value; raises a ConfigError for a wrong value.
        flag: flag shown first, such as `--ema-decay`, where it differs from the name of the field.
        panel: one of `PANELS`.
        show_default: text that the help page shows as the default of a field whose default is None.
        metavar: placeholder of the value on the help page.
        synonyms: other spellings of values, and the value that each is stored as.
    """

    help: str
    check: Check
    flag: str | None = None
    panel: str | None = None
    show_default: str | None = None
    metavar: str | None = None
    synonyms: Mapping[str, str] = field(default_factory=dict)


def setting(default: Any, help: str, check: Check, *, keyword_only: bool = False, **more: Any) -> Any:
    """Returns a dataclass field with a default and a `Setting`.

    Args:
        default: default of the field.
        help, check: attributes of the `Setting`.
        keyword_only: accepts the field as a keyword only, as every field added after the first release, so that the
            positions of the others stay.
        more: further attributes of the `Setting`.
    """
    return field(default=default, kw_only=keyword_only, metadata={METADATA_KEY: Setting(help, check, **more)})


@dataclass(frozen=True)
class Settings:
    """Base of dataclasses whose fields are made by `setting`."""

    def __post_init__(self) -> None:
        for name, one in self.settings().items():
            value = getattr(self, name)
            if isinstance(value, str) and value in one.synonyms:
                object.__setattr__(self, name, one.synonyms[value])  # the dataclass is frozen
            one.check(name, getattr(self, name))

    @classmethod
    def settings(cls) -> dict[str, Setting]:
        """Returns the description of each field by name, in the order of the fields."""
        return {one.name: one.metadata[METADATA_KEY] for one in fields(cls)}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Returns the default of each field by name."""
        return {one.name: one.default for one in fields(cls)}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Loads the `config.json` of a run; keys that are left out get their defaults.

        Raises:
            ConfigError: the file is not JSON, has a key that this version does not know, or a value is refused.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read as a config.json: {error}") from error
        known = cls.settings().keys()
        if not isinstance(values, dict) or not values.keys() <= known:
            raise ConfigError(
                f"{path} must hold a JSON object whose keys are some of {sorted(known)}; got {values!r:.200}"
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Returns the values by name, ready for JSON."""
        return asdict(self)


def documented(cls: type[S]) -> type[S]:
    """Adds the fields with their help texts to the docstring of a class."""
    lines = [f"        {name}: {one.help}" for name, one in cls.settings().items()]
    if cls.__doc__:  # None under python -OO
        cls.__doc__ = "\n".join([cls.__doc__.rstrip(), "", "    Attributes:", *lines, "    "])
    return cls
