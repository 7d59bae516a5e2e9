"""The towers by name, and what each is trained with by default."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TowerDefaults:
    """What a tower is trained with unless the config says otherwise; `whiten` where the classes are known."""

    embedding_dim: int = 128
    learning_rate: float = 6e-3
    augments: bool = True
    whiten: bool = False


TOWER_DEFAULTS = {
    "small_cnn": TowerDefaults(),
    "resnet": TowerDefaults(learning_rate=3e-3),
    "reference": TowerDefaults(embedding_dim=32, learning_rate=1e-3, augments=False),
    "tnn": TowerDefaults(learning_rate=1e-4),
    "hog": TowerDefaults(learning_rate=1e-3, whiten=True),
    "koch": TowerDefaults(embedding_dim=4096, learning_rate=1e-4),
    "inception_resnet_v1": TowerDefaults(embedding_dim=512, learning_rate=1e-3),
    "mobilenet_v2": TowerDefaults(learning_rate=1e-3),
    "resnet50": TowerDefaults(learning_rate=1e-3),
    "custom": TowerDefaults(),
}

TOWER_NAMES = tuple(name for name in TOWER_DEFAULTS if name != "custom")
