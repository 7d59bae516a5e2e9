"""Settings of the model: objective, tower, head and embedding."""

from dataclasses import dataclass
from functools import partial

from siamese_tf.config.catalog import CUSTOM, HEADS, OBJECTIVES, TOWERS
from siamese_tf.config.checks import check_choice, check_whole, either
from siamese_tf.config.settings import MODEL, Settings, setting


@dataclass(frozen=True)
class ModelConfig(Settings):
    """Objective of a run, and the model that it trains."""

    objective: str = setting(
        "contrastive", f"Training objective: {either(OBJECTIVES)}.", partial(check_choice, choices=OBJECTIVES)
    )
    tower: str = setting(
        "small_cnn_v2",
        f"Tower that computes embeddings: {either(TOWERS)}.",
        partial(check_choice, choices=TOWERS, also=CUSTOM),
        panel=MODEL,
    )
    head: str | None = setting(
        None,
        f"Head that compares two embeddings: {either(HEADS)}.",
        partial(check_choice, choices=HEADS, optional=True),
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
