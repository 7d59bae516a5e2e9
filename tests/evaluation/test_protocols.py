import numpy as np
import pytest

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.sources.omniglot_runs import OmniglotRuns
from siamese_tf.errors import ConfigError
from siamese_tf.evaluation import protocols
from siamese_tf.evaluation.episodes import check_classes, check_episodes
from siamese_tf.evaluation.protocols import PROTOCOLS, find_protocol


@pytest.fixture
def runs(monkeypatch):
    """Two runs of three classes; the images of a class have its label as their value."""
    support = np.array([[0, 1, 2], [6, 7, 8]])
    target = np.array([[2, 0, 1], [1, 0, 2]])
    labels = np.array([0, 1, 2, 2, 0, 1, 3, 4, 5, 4, 3, 5])
    names = tuple(f"run0{1 + run}/class0{one}" for run in range(2) for one in (1, 2, 3))
    images = np.uint8(np.broadcast_to(labels[:, None, None, None], (12, 4, 4, 1)))
    found = OmniglotRuns(images, labels, names, support, support + 3, target, ("run01", "run02"))
    monkeypatch.setattr(protocols, "load_omniglot_runs", lambda data_dir, image_format: found)
    return found


def test_all_runs_has_a_trial_for_each_query_among_the_classes_of_its_run(runs):
    trials = PROTOCOLS["all-runs"].load(None, ImageFormat((4, 4), "grey"))
    check_episodes(trials.episodes, 12)
    check_classes(trials.episodes, trials.labels)
    assert trials.episodes.support.shape == (6, 3, 1)
    assert trials.episodes.support[4].ravel().tolist() == [6, 7, 8]
    assert trials.episodes.target.tolist() == [2, 0, 1, 1, 0, 2]
    assert trials.runs.tolist() == [0, 0, 0, 1, 1, 1]
    assert trials.run_names == ("run01", "run02")


def test_unknown_protocols_and_other_data_are_refused():
    with pytest.raises(ConfigError, match="protocol must be one of all-runs; got 'some-runs'"):
        find_protocol("some-runs", "omniglot")
    with pytest.raises(ConfigError, match="the data set of the protocol all-runs must be omniglot; got mnist"):
        find_protocol("all-runs", "mnist")


def test_the_help_names_every_protocol(run):
    assert all(f" {name}," in run("one-shot --help").out for name in PROTOCOLS)
