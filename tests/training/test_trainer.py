from dataclasses import replace

import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.config import HEAD_NAMES, OBJECTIVE_NAMES, TrainConfig
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.training.objectives import OBJECTIVES
from siamese_tf.training.pipeline import training_batches
from siamese_tf.training.trainer import PairTrainer

CONFIG = TrainConfig(batch_pairs=16, embedding_dim=4, augment="none", margin=0.8)


def linear_tower():
    image = keras.Input((8, 8, 1))
    return keras.Model(image, keras.layers.Dense(4)(keras.layers.Flatten()(image)))


def model_of(config, tower=linear_tower):
    """A model for a config, the same one for the same seed."""
    keras.utils.set_random_seed(config.seed)
    return SiameseModel((8, 8, 1), tower(), head=config.head or OBJECTIVES[config.objective].head)


def trainer_of(model, config, learning_rate=0.0):
    trainer = PairTrainer(model, config)
    trainer.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=False)
    trainer.optimizer.build(model.trainable_variables)
    return trainer


def first_batch(pairs, config=CONFIG):
    return next(iter(training_batches(pairs, config, range(1))))


def loss_by_hand(model, objective, margin, first, second, similarity):
    """One number for each pair of (m, d) embeddings, by NumPy from the papers' formulas."""
    if model.head_name == "concat":
        x = np.concatenate([first, second], axis=1)
        for layer, activate in zip(model.head.layers, (True, True, False), strict=True):
            kernel, bias = layer.get_weights()
            x = x @ kernel + bias
            x = np.maximum(x, 0) if activate else x
        logit = x[:, 0]
        distance = np.log1p(np.exp(-logit))
    else:
        first, second = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
        cosine = np.sum(first * second, axis=1)
        distance = 1 - cosine if model.head_name == "cosine" else np.linalg.norm(first - second, axis=1)
        scale = 10.0 if model.head_name == "cosine" else 5.0
        logit = 5.0 - scale * distance
    p = 1 / (1 + np.exp(-logit))
    if objective == "bce":
        return -similarity * np.log(p) - (1 - similarity) * np.log(1 - p)
    if objective == "mse":
        return (similarity - p) ** 2
    return similarity * distance**2 + (1 - similarity) * np.maximum(margin - distance, 0) ** 2


@pytest.fixture(scope="module", params=HEAD_NAMES)
def untrained(request):
    return model_of(replace(CONFIG, head=request.param))


@pytest.mark.parametrize("objective", OBJECTIVE_NAMES)
def test_the_loss_on_listed_pairs_is_the_mean_over_them(toy_pairs, untrained, objective):
    config, batch = replace(CONFIG, objective=objective, pairs_per_step="listed"), first_batch(toy_pairs)
    embeddings = untrained.embed(batch["images"].numpy()).astype(np.float64)
    similarity = batch["similarity"].numpy()
    expected = loss_by_hand(untrained, objective, 0.8, embeddings[:16], embeddings[16:], similarity).mean()
    assert 0 < similarity.mean() < 1
    np.testing.assert_allclose(trainer_of(untrained, config).train_step(batch)["loss"], expected, rtol=1e-4)


@pytest.mark.parametrize("objective", OBJECTIVE_NAMES)
def test_the_loss_on_all_pairs_weighs_both_kinds_alike(toy_pairs, untrained, objective):
    config, batch = replace(CONFIG, objective=objective, pairs_per_step="all"), first_batch(toy_pairs)
    embeddings = untrained.embed(batch["images"].numpy()).astype(np.float64)
    labels, index = batch["labels"].numpy(), batch["index"].numpy()
    assert len(set(index)) < 32, "the batch must hold an image twice, so that the test sees that it is not counted"
    losses = {0: [], 1: []}
    for i in range(32):
        for j in range(32):
            if index[i] != index[j]:
                same = int(labels[i] == labels[j])
                pair = embeddings[i : i + 1], embeddings[j : j + 1]
                losses[same].append(loss_by_hand(untrained, objective, 0.8, *pair, np.array([same]))[0])
    expected = (np.mean(losses[0]) + np.mean(losses[1])) / 2
    np.testing.assert_allclose(trainer_of(untrained, config).train_step(batch)["loss"], expected, rtol=1e-4)


def test_an_image_with_itself_is_not_counted(toy_pairs):
    """Both images of every pair the same one: no pair is left, whatever the labels say."""
    config = replace(CONFIG, objective="mse")
    batch = first_batch(toy_pairs)
    row = np.zeros(32, int)
    batch |= {"images": batch["images"].numpy()[row], "index": batch["index"].numpy()[row], "labels": row}
    assert float(trainer_of(model_of(config), config).train_step(batch)["loss"]) == 0


def test_a_listed_pair_needs_no_labels_and_all_pairs_do_not_read_the_listed_similarity(toy_pairs):
    batch = first_batch(toy_pairs)
    model = model_of(CONFIG)
    other_labels = batch | {"labels": batch["labels"] * 0 - 1}
    other_similarity = batch | {"similarity": 1 - batch["similarity"]}
    losses = {
        (per_step, name): float(trainer_of(model, replace(CONFIG, pairs_per_step=per_step)).train_step(these)["loss"])
        for per_step in ("all", "listed")
        for name, these in (("right", batch), ("labels", other_labels), ("similarity", other_similarity))
    }
    assert losses["listed", "right"] == losses["listed", "labels"] != losses["listed", "similarity"]
    assert losses["all", "right"] == losses["all", "similarity"] != losses["all", "labels"]


@pytest.mark.parametrize("per_step", ["all", "listed"])
@pytest.mark.parametrize("objective", OBJECTIVE_NAMES)
def test_the_loss_falls(toy_pairs, objective, per_step):
    config = replace(CONFIG, objective=objective, pairs_per_step=per_step)
    trainer = trainer_of(model_of(config), config, learning_rate=0.01)
    batch = first_batch(toy_pairs)
    losses = []
    for _ in range(15):
        losses.append(float(trainer.train_step(batch)["loss"]))
        trainer.loss_mean.reset_state()
    assert losses[-1] < 0.7 * losses[0]


def test_contrastive_and_mse_train_different_weights_from_the_same_ones(toy_pairs):
    """With the same head, whose sigmoid output would make both the same loss (contrastive on 1 - p, margin 1)."""
    ends = []
    for objective in ("contrastive", "mse", "mse"):
        config = replace(CONFIG, objective=objective, head="concat", pairs_per_step="listed", margin=1.0)
        model = model_of(config)
        start = model.get_weights()
        trainer = trainer_of(model, config, learning_rate=0.01)
        for batch in training_batches(toy_pairs, config, range(1)):
            trainer.train_step(batch)
        ends.append((start, model.get_weights()))
    for values in zip(*(start for start, _ in ends), strict=True):
        assert np.array_equal(values[0], values[1])
    contrastive, mse, again = (end for _, end in ends)
    assert all(np.array_equal(one, other) for one, other in zip(mse, again, strict=True))
    kernels = [(one, other) for one, other in zip(contrastive, mse, strict=True) if one.ndim == 2]
    assert len(kernels) == 4
    assert all(np.abs(one - other).max() > 1e-3 for one, other in kernels)


@pytest.mark.parametrize(
    ("objective", "head", "moves"),
    [
        ("contrastive", "euclidean", False),
        ("contrastive", "cosine", False),
        ("bce", "euclidean", True),
        ("mse", "cosine", True),
    ],
)
def test_only_a_loss_on_logits_moves_scale_and_bias(toy_pairs, objective, head, moves):
    config = replace(CONFIG, objective=objective, head=head)
    model = model_of(config)
    before = [float(model.head.scale), float(model.head.bias)], model.get_weights()
    trainer = trainer_of(model, config, learning_rate=0.01)
    for _ in range(3):
        trainer.train_step(first_batch(toy_pairs))
    after = [float(model.head.scale), float(model.head.bias)], model.get_weights()
    assert (before[0] != after[0]) is moves
    assert not np.array_equal(before[1][0], after[1][0])  # the tower has learned


def test_both_images_of_a_pair_meet_one_batch_norm_statistic(toy_pairs):
    """One pass of all 2m images: the moving mean is that of all of them, not of one side."""

    def normalised_tower():
        image = keras.Input((8, 8, 1))
        x = keras.layers.BatchNormalization(momentum=0.0)(keras.layers.Flatten()(image))
        return keras.Model(image, keras.layers.Dense(4)(x))

    batch = first_batch(toy_pairs)
    model = model_of(CONFIG, normalised_tower)
    trainer_of(model, CONFIG).train_step(batch)
    (mean,) = (weight.numpy() for weight in model.tower.weights if "moving_mean" in weight.name)
    np.testing.assert_allclose(mean, batch["images"].numpy().reshape(32, 64).mean(axis=0) / 255, rtol=1e-4)


def test_the_images_are_augmented_by_the_seed_of_the_batch(toy_pairs):
    config = replace(CONFIG, augment="shift-flip")
    model, batch = model_of(config), first_batch(toy_pairs)
    plain = trainer_of(model, CONFIG).train_step(batch)["loss"]
    first, again = (trainer_of(model, config).train_step(batch)["loss"] for _ in range(2))
    other = trainer_of(model, config).train_step(batch | {"seed": batch["seed"] + 5})["loss"]
    assert float(first) == float(again)
    assert len({float(plain), float(first), float(other)}) == 3


def test_fit_goes_through_every_batch_once_and_reports_the_mean_of_the_epoch(toy_pairs):
    seen = []

    class Watched(PairTrainer):
        def train_step(self, batch):
            seen.append(batch["index"].numpy())
            return super().train_step(batch)

    config = replace(CONFIG, objective="bce")
    batches = list(training_batches(toy_pairs, config, range(1, 3)))
    model = model_of(config)
    trainer = Watched(model, config)
    trainer.compile(optimizer=keras.optimizers.SGD(0.0), run_eagerly=True)
    history = trainer.fit(
        training_batches(toy_pairs, config, range(1, 3)),
        steps_per_epoch=4,
        initial_epoch=1,
        epochs=3,
        shuffle=False,
        verbose=0,
    ).history
    np.testing.assert_array_equal(seen, [batch["index"] for batch in batches])
    single = [float(trainer_of(model, config).train_step(batch)["loss"]) for batch in batches]
    np.testing.assert_allclose(history["loss"], [np.mean(single[:4]), np.mean(single[4:])], rtol=1e-5)
