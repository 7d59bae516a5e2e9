"""Tests that the benchmarks measure what they claim, on the small data set and with small sizes."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.pairs.generate import generate_pair_files
from siamese_tf.data.pairs.pair_file import PairDataset, load_pair_file
from siamese_tf.data.sources.load import load_source

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
WORKER = """
import sys
sys.path.insert(0, {folder!r})
from processes import worker
def double(number): return 2 * number
def fail(): raise SystemExit("out of luck")
def action(): return lambda: sum(range(1000))
worker()
"""


@pytest.fixture
def module(monkeypatch):
    """Returns a function that imports a module of the benchmarks by its name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    made = generate_pair_files(
        "digits",
        out=tmp_path_factory.mktemp("benchmarks"),
        train_pairs=600,
        validation_pairs=200,
        test_pairs=200,
    )
    return [str(made.train_path), str(made.test_path)]


@pytest.fixture
def workers(tmp_path, monkeypatch) -> ModuleType:
    """Returns a module with a worker, whose functions run in subprocesses only."""
    path = tmp_path / "workers.py"
    path.write_text(WORKER.format(folder=str(BENCHMARKS)), encoding="utf-8")
    functions = ModuleType("workers")
    code = path.read_text(encoding="utf-8").replace("\nworker()", "")
    exec(compile(code, str(path), "exec"), functions.__dict__)
    return functions


def test_the_main_process_loads_no_tensorflow():
    script = "import sys; import bench; loaded = {'tensorflow', 'keras'} & set(sys.modules); assert not loaded, loaded"
    done = subprocess.run([sys.executable, "-c", script], cwd=BENCHMARKS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_numbers_are_formatted(module):
    rows = module("rows")
    assert [rows.duration(seconds) for seconds in (0.00123, 0.5, 12.345, 123.4)] == [
        "1.2 ms",
        "0.50 s",
        "12.35 s",
        "123 s",
    ]
    assert [rows.memory(size) for size in (3 * 2**20, 1.5 * 2**30, 40 * 2**30)] == ["3 MiB", "1.5 GiB", "40 GiB"]
    assert [rows.times(ratio) for ratio in (1.26, 17.4)] == ["1.3x", "17x"]
    assert rows.rate(3e6, 2.0, "pairs") == "1,500,000 pairs/s"
    assert rows.Row("task", "1 s").verdict == ""
    assert rows.Row("task", "1 s", target="at most 2 s").verdict == "at most 2 s: met"
    assert rows.Row("task", "3 s", target="at most 2 s", met=False).verdict == "at most 2 s: MISSED"


def test_a_subprocess_returns_its_result_and_its_cost(module, workers):
    processes = module("processes")
    run = processes.run_in_process(workers.double, 21)
    assert run.result == 42
    assert run.wall > 0
    assert run.bytes > 2**20
    with pytest.raises(SystemExit, match="out of luck"):
        processes.run_in_process(workers.fail)
    with pytest.raises(processes.ProcessKilled, match="killed"):
        processes.run("-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_actions_alternate(module, workers):
    processes = module("processes")
    seconds = processes.alternate(2, (workers.action, ()), (workers.action, ()))
    assert np.shape(seconds) == (2, 2)
    assert np.min(seconds) > 0
    with pytest.raises(SystemExit, match="failed"):
        processes.alternate(1, (workers.action, ()), (workers.fail, ()))


def test_an_action_may_return_its_own_seconds(module):
    processes = module("processes")
    assert processes.seconds(lambda: 7.5) == 7.5
    assert 0 < processes.seconds(lambda: "result") < 1


def test_the_example_has_its_published_size_and_learns_from_identical_images(module):
    model = module("reference").example_network((28, 28, 1))
    assert model.count_params() == 5_324
    images = np.zeros((4, 28, 28, 1), np.float32)
    assert np.isfinite(model.train_on_batch([images, images], np.array([1, 1, 0, 0], np.float32)))
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_the_baseline_is_the_reference_network(module):
    model = module("reference").network((28, 28, 1))
    # Two embeddings of length 32: 64 * 16 + 16 = 1,040, 16 * 4 + 4 = 68, 4 + 1 = 5.
    assert model.count_params() == 75_008 + 1_040 + 68 + 5


def test_pairs_as_text_are_three_lines_each_and_can_be_read(module, tmp_path):
    reference = module("reference")
    images = np.array([[[0, 7]], [[255, 51]]], np.uint8)[..., np.newaxis]  # two images of 1x2x1
    one = np.ones(1, np.uint8)
    pairs = PairDataset(images, None, 0 * one, one, one, 0 * one)
    reference.write_text(tmp_path / "pairs.txt", pairs, 1)
    assert (tmp_path / "pairs.txt").read_text(encoding="ascii") == "0 7\n255 51\n1\n"
    first, second, similarity = reference.read_text(tmp_path / "pairs.txt")
    np.testing.assert_allclose(first, [[0, 7 / 255]], rtol=1e-6)
    np.testing.assert_allclose(second, [[1, 0.2]], rtol=1e-6)
    assert similarity.tolist() == [1.0]


def test_text_and_pair_file_agree(module, files, tmp_path, monkeypatch):
    generation, reference = module("generation"), module("reference")
    monkeypatch.setattr(generation, "SAMPLE", 20)
    text = tmp_path / "pairs.txt"
    assert reference.write_sample(files[0], str(text), 20) > 0
    assert reference.read_sample(str(text)) > 0
    assert generation.pairs_agree(files[0], str(text))
    text.write_text(text.read_text(encoding="ascii").replace("\n1\n", "\n0\n"), encoding="ascii")
    assert not generation.pairs_agree(files[0], str(text))


@pytest.mark.parametrize(("last", "met"), [(8.2, True), (9.0, False)])
def test_a_slow_doubling_misses_its_target(module, monkeypatch, last, met):
    doubling, processes = module("doubling"), module("processes")
    turns = [[0.5, 1.0, 2.0, 4.0, last], [5.0, 10.0, 20.0, 40.0, 10 * last], [1.0, 2.0, 4.0, 8.0, 99.0]]
    result = processes.Run(0, 0, 0, f"{turns}")
    monkeypatch.setattr(doubling, "run_in_process", lambda *arguments, **options: result)
    row = doubling._row("drawing", "pairs", 100, doubling.drawing, "")
    assert row.task == "drawing: 100 to 1,600 pairs"
    assert row.ratio == f"2.00 2.00 2.00 {last / 4:.2f}"
    assert row.met is met


@pytest.mark.parametrize(
    ("name", "first"),
    [("drawing", 4000), ("generating", 2500), ("reading", 16), ("scoring", 16), ("matrix", 16), ("embedding", 16)],
)
def test_each_doubling_runs(module, files, name, first, monkeypatch):
    doubling = module("doubling")
    for constant, value in {"REPEATS": 1, "MIN_SECONDS": 0.0, "SIDE": 4, "SIZE": (8, 8, 1)}.items():
        monkeypatch.setattr(doubling, constant, value)
    (seconds,) = doubling.measure(name, first, files[0])
    assert len(seconds) == doubling.SIZES
    assert min(seconds) > 0


def test_scoring_runs(module, monkeypatch):
    scoring = module("scoring")
    for constant, value in {"SIDE": 30, "GALLERY": 50, "IMAGES": 100, "PAIRS": 200, "RUNS": 1}.items():
        monkeypatch.setattr(scoring, constant, value)
    result = scoring.score_pairs("digits")
    assert (result["pairs"], result["images"], len(result["seconds"])) == (200, 100, 1)
    assert scoring.score_matrix()["seconds"] > 0
    assert scoring.top_k()["seconds"] > 0


def test_a_gallery_is_searched(module, monkeypatch, tmp_path):
    gallery = module("gallery")
    for constant, value in {"PEOPLE": 300, "DIMENSIONS": 64, "QUERIES": 3, "RUNS": 1}.items():
        monkeypatch.setattr(gallery, constant, value)

    def in_this_process(function, *arguments):
        return SimpleNamespace(result=function(*arguments))

    monkeypatch.setattr(gallery, "run_in_process", in_this_process)
    rows = gallery.rows([])
    assert [row.task.split(",")[0] for row in rows[:2]] == ["identify", "identify"]
    assert all(row.target == "at most 50 ms" for row in rows[:2])
    monkeypatch.setattr(gallery, "_people", lambda: np.ones((300, 64), np.float32))
    with pytest.raises(SystemExit, match="does not find the person"):
        gallery.search()


def test_triplet_losses_run_and_agree(module):
    cost = module("triplet_cost")
    names = [cost.MATMUL, cost.ALL, cost.SEMI_HARD, cost.HARD, cost.BROADCAST, *[cost.ADDONS][: cost.HAS_ADDONS]]
    costs = {name: cost.Cost(0.0, **cost.call(name, 32, 1, 0.0)) for name in names}
    for baseline, ours in cost.CUBIC.items():
        if baseline in costs:
            cost.check_equal(baseline, costs[baseline], costs[ours])
    with pytest.raises(SystemExit, match="batch-all"):
        cost.check_equal(cost.BROADCAST, costs[cost.BROADCAST], costs[cost.HARD])


def test_a_cubic_loss_that_would_not_fit_is_not_started(module, monkeypatch):
    cost = module("triplet_cost")
    monkeypatch.setattr(cost, "run_in_process", lambda *arguments: pytest.fail("started"))
    found = cost.measure(cost.BROADCAST, 2048, cost.Cost(0.0), cost.Cost(2.0**50), (1, 0.0))
    assert str(found) == f"not run, ~{8 * 2**20:,} GiB"


@pytest.mark.slow
def test_training_runs(module, files, monkeypatch, tmp_path):
    training, reference, doubling = module("training"), module("reference"), module("doubling")
    accuracy = module("time_to_accuracy")
    for constant, value in {"REPEATS": 1, "MIN_SECONDS": 0.0}.items():
        monkeypatch.setattr(doubling, constant, value)
    assert np.shape(doubling.measure("training", 1, files[0])) == (1, doubling.SIZES)
    for constant, value in {"BATCH": 64, "STEPS": 2}.items():
        monkeypatch.setattr(training, constant, value)
    monkeypatch.setattr(accuracy, "STEPS_PER_CHECK", 3)
    for fit in (training.our_fit, training.baseline_fit):
        assert 0 < fit(files[0], "float32")() < 60  # seconds
    assert 0 < training.default_fit(files[0], "triplet")() < 60
    monkeypatch.chdir(tmp_path)
    result = accuracy.time_to_accuracy("digits", 0.5)
    assert result["steps"] % 3 == 0
    assert result["accuracy"] >= 0.5
    monkeypatch.setattr(reference, "BATCH", 64)
    fitted = reference.fit_for(0.0, *files)
    assert fitted["epochs"] == pytest.approx(64 / len(load_pair_file(files[0]).rows(0)))
    assert fitted["accuracy"] >= 0.4
    assert accuracy.train_by_default("digits") > 0.97


def test_missed_targets_are_listed(module, monkeypatch, capsys):
    bench, rows, processes = module("bench"), module("rows"), module("processes")
    found = [
        rows.Row("one", "1 s", "9 s", "9.0x", "at most 2 s"),
        rows.Row("two", "3 s", target="at most 2 s", met=False),
    ]
    monkeypatch.setattr(bench, "SECTIONS", {"these": lambda files: found})
    monkeypatch.setattr(
        bench, "run_in_process", lambda *arguments: processes.Run(0, 0, 0, '{"name": "x", "note": "y"}')
    )
    monkeypatch.setattr(bench.generation, "make_files", lambda name, folder: [])
    with pytest.raises(SystemExit) as error:
        bench.main([])
    assert error.value.code == "bench: missed target: two: at most 2 s"
    out = capsys.readouterr().out
    assert "| one" in out
    assert "at most 2 s: MISSED" in out
    with pytest.raises(SystemExit, match="sections must be among these; got others"):
        bench.main(["others"])


def test_rates_of_identification_match_a_hand_computed_example(module):
    identification = module("identification")
    one = identification.Counts(4, rank1=3, identified=2, stranger_probes=6, false_positives=1)
    both = identification.total(
        [one, identification.Counts(4, rank1=4, identified=4, stranger_probes=2, false_positives=1)]
    )
    # Correct are the 2 and 4 that were identified, and the 5 and 1 that were rejected: 12 of 16.
    assert identification.rates(both) == ["0.8750", "0.7500", "0.2500", "0.2500"]


@pytest.mark.slow
def test_people_outside_the_training_set_are_identified(module, tmp_path, monkeypatch):
    """Draws each person as a pattern with noise; three people are enrolled, and three are strangers."""
    identification, rng = module("identification"), np.random.default_rng(0)
    for person in range(24):
        pattern = np.kron(rng.integers(40, 216, (4, 4)), np.ones((4, 4)))
        (tmp_path / f"p{person}").mkdir()
        for k in range(5):
            pixels = (pattern + rng.normal(0, 8, pattern.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"p{person}" / f"{k}.png")
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))
    splits = []
    train_without = identification.train_without

    def spy(source, train, validation, test, folder):
        splits.append([set(source.labels[rows].tolist()) for rows in (train, validation, test)])
        return train_without(source, train, validation, test, folder)

    monkeypatch.setattr(identification, "train_without", spy)
    source = load_source(str(tmp_path))
    identification.check_enough(source)
    counts = identification.trial(source, 7, tmp_path / "trial")
    ((train, validation, test),) = splits
    assert [len(train), len(validation), len(test)] == [15, 3, 6]
    assert len(train | validation | test) == 15 + 3 + 6
    assert (counts.enrolled_probes, counts.stranger_probes) == (
        3 * 2,
        3 * 5,
    )  # each enrolled person has two images left
    assert counts.rank1 == counts.enrolled_probes
    assert counts.identified > 3 > counts.false_positives
    monkeypatch.setattr(identification, "ENROLLED", 5)
    with pytest.raises(
        SystemExit, match="at least 24 people with 6 distinct images each; got 24 people with 5 or more. Add"
    ):
        identification.check_enough(source)


@pytest.mark.slow
def test_the_one_shot_table_has_classes_that_the_model_knows_and_others(module, monkeypatch, tmp_path):
    """The training images of the five first classes, and the test images of the five others."""
    table = module("one_shot_digits")
    digits = load_source("digits")
    test_images = np.arange(len(digits.labels)) % 3 == 0
    source = replace(digits, is_test=test_images)
    model = table.train_on_first(source, epochs=1)
    manifest = model.record["pairs"]
    assert (manifest["split"], model.record["training"]["epochs"]) == ("class", 1)
    rows = source.is_test & (source.labels >= table.TRAINED)
    report = table.test(model, model.embed(source.images[rows]), source.labels[rows], ways=5, shots=1, episodes=200)
    assert (report["ways"], report["episodes"]) == (5, 200)
    assert report["accuracy"] > 0.3


def test_installed_peers_are_compared_in_turn(module, workers, monkeypatch):
    peers = module("peers")
    monkeypatch.setattr(peers, "REPEATS", 2)
    peer = peers.Peer
    rows = peers._compare(
        "sums",
        peer("", workers.action),
        peer("the same", workers.action),
        peer("missing", workers.action, (), "no_such_module"),
        peer("a part", workers.action, is_limit=True),
    )
    assert [row.baseline.split(", ")[1] for row in rows] == ["the same", "a part"]
    assert [row.target for row in rows] == ["at least 1.0x", ""]
    assert rows[1].met
