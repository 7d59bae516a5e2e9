"""Training loop of a run: `fit` with its callbacks, up to the last epoch or the first loss that is not finite."""

from contextlib import nullcontext
from pathlib import Path

from tensorflow import keras

from siamese_tf.config.catalog import CUSTOM, OBJECTIVES
from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.errors import SiameseError
from siamese_tf.printable import warn
from siamese_tf.training.callbacks import HalveLROnPlateau, ReseedEachEpoch, ValidationCheckpoint
from siamese_tf.training.checkpoint import RunState
from siamese_tf.training.collapse import CollapseMonitor
from siamese_tf.training.epochs import training_steps
from siamese_tf.training.event_log import EventLog
from siamese_tf.training.pipeline import training_batches
from siamese_tf.training.progress import training_progress
from siamese_tf.training.run_data import RunData
from siamese_tf.training.trainer import Trainer
from siamese_tf.training.workdir import LOGS


def fit_trainer(trainer: Trainer, pairs: RunData, state: RunState, workdir: Path, quiet: bool) -> None:
    """Runs the remaining epochs, and sets `trainer.ema_model` to the weights of the best epoch.

    Args:
        trainer: compiled trainer, with the variables of `state`.
        pairs: data of the run.
        state: state of the run; extended by every epoch.
        workdir: folder for the checkpoint, the history and the logs.
        quiet: shows no progress.

    Raises:
        SiameseError: if the loss became NaN or infinite in the first epoch.
    """
    config = trainer.config
    steps = training_steps(pairs, config)
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        ValidationCheckpoint(pairs.task.train, state, workdir, trainer.step.names, config.validate_every),
        EventLog(workdir / LOGS),
        *([ReseedEachEpoch(config.seed)] if config.tower == CUSTOM else []),
        *([HalveLROnPlateau(config, state)] if config.schedule == "plateau" else []),
        *([CollapseMonitor(trainer, config)] if OBJECTIVES[config.objective].monitors_collapse else []),
    ]
    with nullcontext() if quiet else training_progress(steps, config.epochs, state.epochs_done) as progress:
        trainer.fit(
            training_batches(pairs, config, range(state.epochs_done, config.epochs)),
            steps_per_epoch=steps,
            initial_epoch=state.epochs_done,
            epochs=config.epochs,
            callbacks=[*callbacks, *([progress] if progress else [])],
            shuffle=False,
            verbose=0,
        )
    if state.epochs_done < config.epochs:
        _report_nan(config, state)
    trainer.ema_model.set_weights(state.best)


def _report_nan(config: ResolvedConfig, state: RunState) -> None:
    """Warns that the run ended early, or raises a SiameseError if it finished no epoch."""
    failure = f"the loss became NaN or infinite in epoch {state.epochs_done + 1}"
    lower = f"a --learning-rate below {config.learning_rate:g}"
    if not state.epochs_done:
        raise SiameseError(f"{failure}. Use {lower}")
    warn(
        f"{failure} of {config.epochs}; the model is that of epoch {state.best_epoch}, the best one before. To continue"
        f" after epoch {state.epochs_done}, use --resume with {lower}"
    )
