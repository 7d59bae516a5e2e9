"""Baselines: pairs as text, pairs stacked in memory, and two-input networks trained with Keras `fit`."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from processes import seconds, worker

from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, load_pair_file
from siamese_tf.evaluation.thresholds import max_accuracy_threshold

BATCH = 1024  # pairs
LEARNING_RATE = 1e-3
EXAMPLE_BATCH, EXAMPLE_EPOCHS = 16, 10  # as in the keras.io example

Stacked = tuple[np.ndarray, np.ndarray, np.ndarray]


def write_text(path: Path, pairs: PairDataset, count: int) -> None:
    """Writes the first `count` pairs as text, three lines each: pixels of both images, then the similarity."""
    with open(path, "w", encoding="ascii") as file:
        for img1, img2, similarity in zip(pairs.img1[:count], pairs.img2[:count], pairs.similarity, strict=False):
            for image in (img1, img2):
                file.write(" ".join(map(str, pairs.images[image].ravel().tolist())) + "\n")
            file.write(f"{similarity}\n")


def read_text(path: Path) -> Stacked:
    """Returns the images of each pair, two arrays (m, h * w * c) float32 in [0, 1], and the similarity (m,)."""
    first, second, similarity = [], [], []
    with open(path, encoding="ascii") as file:
        for one, other, same in zip(file, file, file, strict=True):
            first.append(np.fromstring(one, np.float32, sep=" "))
            second.append(np.fromstring(other, np.float32, sep=" "))
            similarity.append(int(same))
    a, b = (np.stack(side) / np.float32(255) for side in (first, second))
    return a, b, np.array(similarity, np.float32)


def write_sample(pair_file: str, path: str, count: int) -> float:
    """Returns the seconds to write the first `count` pairs of a file as text."""
    pairs = load_pair_file(pair_file)
    return seconds(lambda: write_text(Path(path), pairs, count))


def read_sample(path: str) -> float:
    """Returns the seconds to read pairs from text."""
    return seconds(lambda: read_text(Path(path)))


def stacked(pairs: PairDataset, rows: np.ndarray) -> Stacked:
    """Returns the images of these rows, two arrays (m, h, w, c) float32 in [0, 1], and the similarity (m,)."""
    a, b = (pairs.images[side[rows]].astype(np.float32) / np.float32(255) for side in (pairs.img1, pairs.img2))
    return a, b, pairs.similarity[rows].astype(np.float32)


def network(input_size: tuple[int, int, int]) -> Any:
    """Builds and compiles the reference tower on two inputs, with concatenated embeddings and Dense 16, 4 and 1."""
    from tensorflow import keras

    tower = keras.Sequential(
        [
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
        ]
    )
    images = [keras.Input(input_size), keras.Input(input_size)]
    x = keras.layers.Concatenate()([tower(image) for image in images])
    for width in (16, 4):
        x = keras.layers.Dense(width, activation="relu")(x)
    model = keras.Model(images, keras.layers.Dense(1, activation="sigmoid", dtype="float32")(x))
    model.compile(keras.optimizers.Adam(LEARNING_RATE), "binary_crossentropy")
    return model


def fit_for(limit: float, train_file: str, test_file: str) -> dict[str, float]:
    """Fits the network until `limit` seconds have passed since this process started.

    Returns:
        Number of epochs, and test accuracy at the threshold that maximizes validation accuracy.
    """
    started = time.time() - process_age()
    from tensorflow import keras

    pairs, test = load_pair_file(train_file), load_pair_file(test_file)
    a, b, similarity = stacked(pairs, pairs.rows(TRAIN))
    model = network(pairs.images.shape[1:])
    steps = 0

    def check_time(batch: int, logs: dict[str, Any]) -> None:
        nonlocal steps
        steps += 1
        model.stop_training = time.time() - started >= limit

    stop = keras.callbacks.LambdaCallback(on_train_batch_end=check_time)
    model.fit([a, b], similarity, batch_size=BATCH, epochs=1000, callbacks=[stop], verbose=0)
    return {"epochs": steps * BATCH / len(pairs.rows(TRAIN)), "accuracy": _test_accuracy(model, pairs, test)}


def _test_accuracy(model: Any, pairs: PairDataset, test: PairDataset, sign: float = 1.0) -> float:
    """Returns the accuracy on the test pairs at the threshold that maximizes the validation accuracy.

    Args:
        sign: 1 if the output of the network is higher for similar pairs, -1 if it is lower.
    """
    outputs = []
    for file, split in ((pairs, VALIDATION), (test, TEST)):
        a, b, similarity = stacked(file, file.rows(split))
        outputs.append((similarity, sign * model.predict([a, b], batch_size=BATCH, verbose=0)[:, 0]))
    threshold = max_accuracy_threshold(*outputs[0])
    similarity, scores = outputs[1]
    return float(np.mean((scores >= threshold) == similarity))


def fit_example(train_file: str, test_file: str) -> float:
    """Fits `example_network` for EXAMPLE_EPOCHS; returns the test accuracy, as `fit_for` does."""
    pairs = load_pair_file(train_file)
    a, b, similarity = stacked(pairs, pairs.rows(TRAIN))
    model = example_network(pairs.images.shape[1:])
    model.fit([a, b], similarity, batch_size=EXAMPLE_BATCH, epochs=EXAMPLE_EPOCHS, verbose=0)
    return _test_accuracy(model, pairs, load_pair_file(test_file), sign=-1.0)


def example_network(input_size: tuple[int, int, int]) -> Any:
    """Builds and compiles the network of the keras.io example on contrastive loss, for images of 28x28 or more.

    Two convolutions with tanh on two inputs, the Euclidean distance of ten-dimensional embeddings, and one logistic
    unit, whose output the contrastive loss takes as the distance.

    Reference:
        https://keras.io/examples/vision/siamese_contrastive/, 2021.
    """
    from tensorflow import keras

    from siamese_tf import ContrastiveLoss

    layers = keras.layers
    image = keras.Input(input_size)
    x = layers.BatchNormalization()(image)
    for filters in (4, 16):
        x = layers.AveragePooling2D(2)(layers.Conv2D(filters, 5, activation="tanh")(x))
    x = layers.BatchNormalization()(layers.Flatten()(x))
    tower = keras.Model(image, layers.Dense(10, activation="tanh")(x))
    images = [keras.Input(input_size), keras.Input(input_size)]
    difference = layers.Subtract()([tower(image) for image in images])
    distance = layers.Activation(_root)(layers.Dot(1)([difference, difference]))
    model = keras.Model(images, layers.Dense(1, activation="sigmoid")(layers.BatchNormalization()(distance)))
    model.compile("RMSprop", ContrastiveLoss())
    return model


def _root(squares: Any) -> Any:
    import tensorflow as tf

    return tf.sqrt(tf.maximum(squares, 1e-7))  # without NaN in the gradient at 0


def process_age() -> float:
    """Returns the seconds since this process started, from /proc if it exists, else its processor time."""
    try:
        start_ticks = int(Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        return uptime - start_ticks / os.sysconf("SC_CLK_TCK")
    except OSError:
        return time.process_time()


if __name__ == "__main__":
    worker()
