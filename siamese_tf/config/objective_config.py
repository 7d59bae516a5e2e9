"""Settings of the objectives with a margin: the margin, and how triplets are formed."""

from dataclasses import dataclass
from functools import partial

from siamese_tf.config.catalog import MINING
from siamese_tf.config.checks import check_choice, check_number, check_whole, either
from siamese_tf.config.settings import ADVANCED, AUTO, TRAINING, Settings, setting
from siamese_tf.errors import ConfigError

LOSSES_FROM = (AUTO, "addons", "native")
SOFT = "soft"
WITHIN = ("group",)


@dataclass(frozen=True)
class ObjectiveConfig(Settings):
    """Margin of the contrastive and the triplet loss, and the mining of triplets."""

    margin: float | str | None = setting(
        None,
        "Margin in the head's distance: where dissimilar pairs stop to cost (contrastive), or by how much the negative"
        f" must be further away than the positive (triplet); {SOFT} is log(1 + exp(...)) (triplet).",
        partial(check_number, above=True, optional=True, word=SOFT),
        panel=TRAINING,
        show_default="the objective's for the head",
    )
    mining: str = setting(
        "semi-hard",
        f"Triplets that count: {either(MINING)} (triplet).",
        partial(check_choice, choices=MINING),
        panel=ADVANCED,
    )
    losses: str | None = setting(
        None,
        f"Implementation of the triplet loss: {either(LOSSES_FROM)} (triplet).",
        partial(check_choice, choices=LOSSES_FROM, optional=True),
        show_default="auto, which is addons for up to 128 images per step if it is installed, else native",
        panel=ADVANCED,
    )
    classes_per_batch: int | None = setting(
        None,
        "Number of classes in a batch, P (triplet, episode); with --batch-within group, of each group.",
        partial(check_whole, low=2, high=65_536, optional=True),
        show_default="16, with hard mining 32, with all 8, with episode 20",
        panel=ADVANCED,
    )
    images_per_class: int | None = setting(
        None,
        "Number of images of each class in a batch, K (triplet, episode).",
        partial(check_whole, low=2, high=65_536, optional=True),
        show_default="--batch-pairs / P, with hard mining a quarter, with episode 4",
        panel=ADVANCED,
    )
    batch_within: str | None = setting(
        None,
        "Draw each part of a batch within one group, whose classes are harder to tell apart: group (triplet, episode).",
        partial(check_choice, choices=WITHIN, optional=True),
        show_default="classes of all groups together",
        panel=ADVANCED,
        keyword_only=True,
    )
    groups_per_batch: int | None = setting(
        None,
        "Number of groups in a batch, E, with --batch-within group (triplet, episode).",
        partial(check_whole, low=1, high=1_000, optional=True),
        show_default="3, with triplet 1",
        panel=ADVANCED,
        keyword_only=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups_per_batch is not None and self.batch_within is None:
            raise ConfigError(
                f"groups_per_batch must be omitted without batch_within; got {self.groups_per_batch}. Set batch_within"
                " (--batch-within group)"
            )
