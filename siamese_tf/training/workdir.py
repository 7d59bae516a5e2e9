"""The folder of a run where the user names none."""

from pathlib import Path

from siamese_tf.config.train_config import TrainConfig


def default_workdir(dataset: str, run: str) -> Path:
    """Returns `runs/<dataset>/<run>`.

    Args:
        dataset: the name of the data set, such as "mnist" or that of a folder of images.
        run: an objective, or what is made of several runs, such as "compare".
    """
    return Path("runs") / dataset / run


def expected_workdir(config: TrainConfig, run: str) -> Path | None:
    """Returns the default folder of a run before its data are opened; None where only the data tell its name."""
    if config.dataset == "auto" or config.pairs is not None or config.one_vs_rest is not None:
        return None
    return default_workdir(Path(config.dataset).resolve().name, run)
