"""The catalog: one row per tower, head, objective, view and augmentation.

To add one, write its function and add its row here; the choices of the settings, the defaults, the checks and the
builders follow from the row. Rows are described in `siamese_tf.config.rows`.
"""

from siamese_tf.config.rows import (
    Augmentation,
    ClassBatch,
    DatasetDefaults,
    Head,
    Mining,
    Objective,
    Tower,
    TowerDefaults,
    View,
)

TOWERS: dict[str, Tower] = {
    "small_cnn": Tower(
        builder="siamese_tf.models.towers.small_cnn:small_cnn",
        parameters="siamese_tf.models.towers.small_cnn:small_cnn_parameters",
    ),
    "small_cnn_v2": Tower(
        builder="siamese_tf.models.towers.small_cnn:small_cnn_v2",
        parameters="siamese_tf.models.towers.small_cnn:small_cnn_parameters",
    ),
    "resnet": Tower(
        builder="siamese_tf.models.towers.resnet:resnet",
        parameters="siamese_tf.models.towers.resnet:resnet_parameters",
        learning_rate=3e-3,
    ),
    "reference": Tower(
        builder="siamese_tf.models.towers.reference:reference",
        parameters="siamese_tf.models.towers.reference:reference_parameters",
        embedding_dim=32,
        learning_rate=1e-3,
        augments=False,
    ),
    "tnn": Tower(
        builder="siamese_tf.models.towers.tnn:tnn",
        parameters="siamese_tf.models.towers.tnn:tnn_parameters",
        learning_rate=1e-4,
    ),
    "hog": Tower(
        builder="siamese_tf.models.towers.hog:hog",
        parameters="siamese_tf.models.towers.hog:hog_parameters",
        learning_rate=1e-3,
        whitens=True,
    ),
    "koch": Tower(
        builder="siamese_tf.models.towers.koch:koch",
        parameters="siamese_tf.models.towers.koch:koch_parameters",
        embedding_dim=4096,
        learning_rate=1e-4,
        logs_parameters=True,
    ),
    "omniglot": Tower(
        builder="siamese_tf.models.towers.omniglot:omniglot",
        parameters="siamese_tf.models.towers.omniglot:omniglot_parameters",
        embedding_dim=1024,
        learning_rate=2e-3,
    ),
    "inception_resnet_v1": Tower(
        builder="siamese_tf.models.towers.inception_resnet_v1:inception_resnet_v1",
        parameters="siamese_tf.models.towers.inception_resnet_v1:inception_resnet_v1_parameters",
        embedding_dim=512,
        learning_rate=1e-3,
    ),
    "mobilenet_v2": Tower(
        builder="siamese_tf.models.towers.imagenet:mobilenet_v2",
        parameters="siamese_tf.models.towers.imagenet:mobilenet_v2_parameters",
        learning_rate=1e-3,
    ),
    "resnet50": Tower(
        builder="siamese_tf.models.towers.imagenet:resnet50",
        parameters="siamese_tf.models.towers.imagenet:resnet50_parameters",
        learning_rate=1e-3,
    ),
    "efficientnet_lite0": Tower(
        builder="siamese_tf.models.towers.efficientnet_lite0:efficientnet_lite0",
        parameters="siamese_tf.models.towers.efficientnet_lite0:efficientnet_lite0_parameters",
        learning_rate=1e-3,
    ),
    "dlib_face": Tower(
        builder="siamese_tf.models.towers.dlib_face:dlib_face",
        parameters="siamese_tf.models.towers.dlib_face:dlib_face_parameters",
        learning_rate=1e-3,
    ),
}
CUSTOM = "custom"  # the name of a tower that the caller builds
CUSTOM_DEFAULTS = TowerDefaults()

HEADS: dict[str, Head] = {
    "cosine": Head(builder="siamese_tf.models.heads:CosineHead", triplet_metric="angular"),
    "euclidean": Head(builder="siamese_tf.models.heads:EuclideanHead", triplet_metric="L2"),
    "concat": Head(builder="siamese_tf.models.heads:ConcatHead", normalizes=False),
    "weighted_l1": Head(builder="siamese_tf.models.weighted_l1_head:WeightedL1Head", normalizes=False),
}

CLASS_BATCHES = ("classes_per_batch", "images_per_class", "batch_within", "groups_per_batch")  # settings of batches
OBJECTIVES: dict[str, Objective] = {
    "bce": Objective(loss="siamese_tf.losses.bce:binary_cross_entropy", reads="logit", head="cosine"),
    "mse": Objective(loss="siamese_tf.losses.mse:squared_error", reads="logit", head="cosine"),
    "contrastive": Objective(
        loss="siamese_tf.losses.contrastive:contrastive_loss",
        reads="distance",
        head="cosine",
        margins={"cosine": 0.5, "euclidean": 1.0, "concat": 1.0, "weighted_l1": 1.0},
    ),
    "triplet": Objective(
        loss="siamese_tf.training.triplets:triplet_loss",
        reads="embeddings",
        head="euclidean",
        heads=("euclidean", "cosine"),
        step="siamese_tf.training.triplet_objective:TripletObjective",
        batches="classes",
        margins={"euclidean": 0.5, "cosine": 0.5},
        soft_margin=True,
        settings=("mining", "losses", *CLASS_BATCHES),
        reports_embeddings=True,
        monitors_collapse=True,
        record="siamese_tf.training.triplets:triplet_record",
    ),
    "episode": Objective(
        loss="siamese_tf.losses.episode:episode_loss",
        reads="logit matrix",
        head="cosine",
        heads=("cosine", "euclidean"),
        batches="classes",
        batch=ClassBatch(classes=20, images=4),
        scale=20.0,
        settings=CLASS_BATCHES,
        reports_embeddings=True,
    ),
}

MINING: dict[str, Mining] = {
    "semi-hard": Mining(max_classes=16),
    # The hardest of many positives is an outlier, and training on outliers collapses the embeddings.
    "hard": Mining(max_classes=32, images_divisor=4, min_images=4),
    "all": Mining(max_classes=8),
}

VIEWS: dict[str, View] = {
    "one": View(function="siamese_tf.models.views:one"),
    "mirror": View(function="siamese_tf.models.views:mirror", taught_by="flip"),
    "turn": View(function="siamese_tf.models.views:turn", taught_by="affine"),
    "shift": View(function="siamese_tf.models.views:shift"),
    "affine": View(function="siamese_tf.models.views:affine", taught_by="warp"),
}

# Applied in this order: black moves in from outside after the colors have changed, and stays black.
AUGMENTATIONS: dict[str, Augmentation] = {
    "flip": Augmentation(function="siamese_tf.training.augmentation:flip"),
    "vflip": Augmentation(function="siamese_tf.training.augmentation:vflip"),
    "color": Augmentation(function="siamese_tf.training.augmentation:color"),
    "affine": Augmentation(function="siamese_tf.training.augmentation:affine"),
    "warp": Augmentation(function="siamese_tf.training.augmentation:warp"),
    "elastic": Augmentation(function="siamese_tf.training.augmentation:elastic"),
    "shift": Augmentation(function="siamese_tf.training.augmentation:shift"),
    "erase": Augmentation(function="siamese_tf.training.augmentation:erase"),
}

# Mirrored clothes are clothes; mirrored digits are not digits.
DATASETS: dict[str, DatasetDefaults] = {
    "fashion-mnist": DatasetDefaults(augment={"auto": "flip", "light": "flip", "strong": "flip-shift-erase"}),
}
OTHER_DATASETS = DatasetDefaults(augment={"auto": "shift", "light": "affine", "strong": "affine-shift-erase"})
AUGMENT_LEVELS = tuple(OTHER_DATASETS.augment)


def tower_defaults(name: str) -> TowerDefaults:
    """Returns the defaults of a tower, `custom` included."""
    return CUSTOM_DEFAULTS if name == CUSTOM else TOWERS[name]
