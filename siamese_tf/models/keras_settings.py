"""Fixed global Keras settings for building networks, independent of the user's settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from tensorflow import keras


@contextmanager
def keras_settings(policy: str = "float32") -> Iterator[None]:
    """Sets channels_last images, float32 weights and a dtype policy, and restores the previous settings afterwards.

    A `keras.json`, `set_image_data_format`, `set_floatx` or a global `mixed_float16` policy therefore changes neither
    the layers of a built-in network nor its results. Also works as a decorator. The settings are global to the process;
    if they already have the required values, nothing is set, so that threads do not interfere.

    Args:
        policy: dtype policy of the layers that are built in the context.
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
