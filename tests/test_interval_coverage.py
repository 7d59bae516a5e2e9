"""What the intervals and the limits of thresholds promise, by the simulation of benchmarks/coverage.py."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).resolve().parents[1] / "benchmarks" / "coverage.py"


@pytest.fixture(scope="module")
def simulation():
    """The module, under a name of its own: another package is called coverage."""
    spec = importlib.util.spec_from_file_location("interval_coverage", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["interval_coverage"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["interval_coverage"]


@pytest.mark.slow
@pytest.mark.parametrize(("people", "kinds"), [(8, ""), (12, ""), (20, "accuracy 0.98")])
def test_from_eight_people_on_the_intervals_hold_the_truth(simulation, people, kinds):
    for name in (name for name in simulation.KINDS if kinds in name):
        held = simulation.coverage(simulation.KINDS[name], people, 300)
        assert {"accuracy", "f1", "fmr", "fnmr", "eer", "auc", "0.1", "0.01"} <= set(held)
        assert {rate: one.coverage for rate, one in held.items() if one.coverage < 0.93} == {}, name
        assert held["accuracy"].width < 0.35


@pytest.mark.slow
def test_eight_images_are_no_exception(simulation):
    bootstrap, jackknife = simulation.image_coverage(8, 300)
    assert bootstrap.coverage < 0.9
    assert jackknife.coverage >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("people", [8, 12, 20])
def test_a_limit_is_exceeded_as_rarely_as_it_says_and_an_average_often(simulation, people):
    kind = simulation.KINDS["strong effects, accuracy 0.90"]
    refused, above = simulation.exceeded(kind, people, "0.2 at 95%", 300)
    assert refused < 0.5
    assert above <= 0.05 + 2 * (0.05 * 0.95 / 300) ** 0.5
    assert simulation.exceeded(kind, people, "0.05", 300)[1] > 0.4


def test_the_truth_is_that_of_many_people(simulation):
    kind = simulation.KINDS["weak effects, accuracy 0.90"]
    drawn = simulation.draw(kind, 150, np.random.default_rng(0))
    rates = simulation.PairRates(drawn.similarity == 1, drawn.scores, drawn.scores >= 0.5)
    found = rates.of(np.ones(drawn.similarity.size, np.int64))
    true = simulation.truth(kind, drawn.similarity)
    assert found == {name: pytest.approx(true[name], abs=0.04) for name in found}
    assert len(found) == 9


def test_the_tables_are_printed(simulation, monkeypatch, capsys):
    for name, value in {"PEOPLE": (5,), "IMAGES": (8,), "REPLICATES": 100}.items():
        monkeypatch.setattr(simulation, name, value)
    simulation.main(2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines if "rejected" in line] == list(simulation.RULES)
    assert "| rate | method | 5 people |" in lines
    assert sum("| jackknife |" in line for line in lines) == len(simulation.RATES) + 1
