"""Settings of the model: objective, tower, head and embedding."""

from dataclasses import dataclass
from functools import partial

from siamese_tf.config.catalog import TOWER_NAMES
from siamese_tf.config.checks import check_choice, check_whole, either
from siamese_tf.config.settings import MODEL, Settings, setting

OBJECTIVE_NAMES = ("bce", "mse", "contrastive", "triplet")
HEAD_NAMES = ("cosine", "euclidean", "concat")


@dataclass(frozen=True)
class ModelConfig(Settings):
    """Objective of a run, and the model that it trains."""

    objective: str = setting(
        "contrastive", f"Training objective: {either(OBJECTIVE_NAMES)}.", partial(check_choice, choices=OBJECTIVE_NAMES)
    )
    tower: str = setting(
        "small_cnn",
        f"Tower that computes embeddings: {either(TOWER_NAMES)}.",
        partial(check_choice, choices=(*TOWER_NAMES, "custom")),  # `custom` is a keras.Model passed in Python
        panel=MODEL,
    )
    head: str | None = setting(
        None,
        f"Head that compares two embeddings: {either(HEAD_NAMES)}.",
        partial(check_choice, choices=HEAD_NAMES, optional=True),
        panel=MODEL,
        show_default="the objective's",
    )
    embedding_dim: int | None = setting(
        None,
        "Length of an embedding.",
        partial(check_whole, low=1, high=4096, optional=True),
        panel=MODEL,
        show_default="the tower's",
    )
