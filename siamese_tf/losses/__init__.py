"""Losses: each formula is a pure function; a thin `keras.losses.Loss` wraps it for `compile` and `fit`."""

from siamese_tf.losses.contrastive import ContrastiveLoss, contrastive_loss
from siamese_tf.losses.keras_triplet import ActiveTriplets, TripletBatchAllLoss, TripletHardLoss, TripletSemiHardLoss
from siamese_tf.losses.triplet import triplet_batch_all_loss, triplet_hard_loss, triplet_semihard_loss

__all__ = [
    "ActiveTriplets",
    "ContrastiveLoss",
    "TripletBatchAllLoss",
    "TripletHardLoss",
    "TripletSemiHardLoss",
    "contrastive_loss",
    "triplet_batch_all_loss",
    "triplet_hard_loss",
    "triplet_semihard_loss",
]
