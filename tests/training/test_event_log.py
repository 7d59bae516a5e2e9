import os
import socket
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.training.event_log import EventLog


@pytest.fixture
def log(tmp_path):
    log = EventLog(tmp_path / "logs")
    log.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=tf.Variable(0.5))))
    log.on_train_begin({})
    log.on_epoch_end(0, {"loss": np.float32(0.25), "validation_accuracy": 0.75})
    log.on_epoch_end(1, {"loss": tf.constant(0.125)})
    return log


def events(folder):
    (path,) = (folder / "logs" / "train").iterdir()
    return [tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]


def test_every_epoch_is_on_the_disk_when_it_ends(log, tmp_path):
    first, *epochs = events(tmp_path)
    assert first.file_version == "brain.Event:2"
    assert [(event.step, {value.tag: value.simple_value for value in event.summary.value}) for event in epochs] == [
        (0, {"epoch_loss": 0.25, "epoch_validation_accuracy": 0.75, "epoch_learning_rate": 0.5}),
        (1, {"epoch_loss": 0.125, "epoch_learning_rate": 0.5}),
    ]
    log.on_train_end({})


def test_tensorboard_reads_it(log, tmp_path):
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    log.on_train_end({})
    read = loader.EventAccumulator(str(tmp_path / "logs" / "train"), size_guidance={"tensors": 0}).Reload()
    (tag,) = [tag for tag in [*read.Tags()["scalars"], *read.Tags()["tensors"]] if tag == "epoch_loss"]
    found = read.Scalars(tag) if tag in read.Tags()["scalars"] else read.Tensors(tag)
    assert [event.step for event in found] == [0, 1]


def test_the_name_of_the_file_does_not_tell_the_host(log, tmp_path):
    log.on_train_end({})
    (path,) = (tmp_path / "logs" / "train").iterdir()
    assert path.name.startswith("events.out.tfevents.")  # by which TensorBoard finds it
    assert path.name.split(".")[4:] == [f"{os.getpid()}"]
    assert socket.gethostname() not in path.name


def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(tmp_path):
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(OSError, match="logs"):
        EventLog(tmp_path / "logs").on_train_begin({})
