"""Global Keras settings while networks are built, independent of the user's own settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from tensorflow import keras


@contextmanager
def keras_settings(policy: str = "float32") -> Iterator[None]:
    """Sets channels_last images, float32 weights and a dtype policy, and restores what was set before.

    A `keras.json`, `set_image_data_format`, `set_floatx` or a global `mixed_float16` policy so neither changes what a
    network by name is made of nor what it computes. Works as a decorator, too. The settings are those of the process:
    where they are as wanted already, nothing is set, and threads do not meet.

    Args:
        policy: the dtype policy of the layers built meanwhile.
    """
    wanted, before, policy_before = (
        ("channels_last", "float32", policy),
        _settings(),
        keras.mixed_precision.global_policy(),
    )
    if before != wanted:
        _set(*wanted)
    try:
        yield
    finally:
        if _settings() != before:
            _set(*before[:2], policy_before)


def _settings() -> tuple[str, str, str]:
    return keras.backend.image_data_format(), keras.backend.floatx(), keras.mixed_precision.global_policy().name


def _set(image_data_format: str, floatx: str, policy: str | keras.mixed_precision.Policy) -> None:
    keras.backend.set_image_data_format(image_data_format)
    keras.backend.set_floatx(floatx)
    keras.mixed_precision.set_global_policy(policy)
