import json
from dataclasses import replace

import pytest
from matplotlib.image import imread

from siamese_tf.data.pairs.pair_file import TEST, load_pair_file, save_pair_file
from siamese_tf.evaluation.classify_episodes import classify_episodes
from siamese_tf.evaluation.episodes import draw_episodes
from siamese_tf.evaluation.one_shot import one_shot_report
from siamese_tf.evaluation.one_shot_lines import one_shot_lines
from siamese_tf.models.siamese_model import SiameseModel

pytestmark = pytest.mark.train

MODEL = "run/siamese.keras"
PAIRS = f"one-shot {MODEL} --pairs dataset/digits/train_pairs.npz"


def test_it_prints_the_report_on_the_test_images(run, trained, tmp_path):
    done = run(f"{PAIRS} --ways 4 --shots 2 --episodes 200 --seed 5 --rule best-score")
    assert (done.code, done.err) == (0, "")
    pairs = load_pair_file(trained.folder / "dataset/digits/test_pairs.npz")
    test = pairs.images_of(TEST)
    episodes = draw_episodes(pairs.labels[test], 4, 2, 200, 5)
    embeddings = trained.model.embed(pairs.images[test])
    chosen = classify_episodes(trained.model.all_pairs, embeddings, episodes, "best-score", 5)
    report = one_shot_report(pairs.labels[test], episodes, chosen)
    assert report["accuracy"] > 0.4  # chance: 0.25
    assert done.out.splitlines()[-4:] == one_shot_lines(report, list("0123456789"))

    out = tmp_path / "new"
    as_json = run(f"{PAIRS} --ways 4 --shots 2 --episodes 200 --seed 5 --rule best-score --json --out {out}")
    about = {"dataset": "digits", "rule": "best-score", "seed": 5}
    assert json.loads(as_json.out) == json.loads((out / "report.json").read_text()) == about | report
    assert imread(out / "mistakes.png").shape[1] == 1012


def test_written_episodes_are_read_again(run, grouped, tmp_path):
    path = tmp_path / "new" / "episodes.json"
    first = run(f"{grouped} --within group --ways 3 --episodes 40 --seed 2 --json --write-episodes {path}")
    second = run(f"{grouped} --episodes-from {path} --seed 2 --json")
    assert (first.code, json.loads(second.out)) == (0, json.loads(first.out))
    assert json.loads(second.out)["ways"] == 3
    other = run(f"{PAIRS} --test-pairs dataset/digits/train_pairs.npz --episodes-from {path}")
    assert (other.code, "must be a list of these" in other.err or "test pairs" in other.err) == (2, True)


def test_a_model_against_itself_has_no_difference(run):
    done = run(f"{PAIRS} --episodes 50 --against {MODEL} --json")
    assert json.loads(done.out)["against"] == {"model": MODEL, "difference": 0.0, "ci95": [0.0, 0.0]}
    printed = run(f"{PAIRS} --episodes 50 --against {MODEL}").out
    assert "against the other model    +0.0000  (+0.0000 to +0.0000)" in printed


def test_a_model_of_another_image_format_is_compared_on_the_same_episodes(run, tmp_path):
    SiameseModel((8, 8, 1), tower="reference", embedding_dim=8, invert=True).save(tmp_path / "other.keras")
    done = run(f"{PAIRS} --episodes 20 --against {tmp_path}/other.keras --json")
    assert (done.code, "against" in json.loads(done.out)) == (0, True)


@pytest.fixture(scope="module")
def grouped(trained, tmp_path_factory):
    """The test pairs, with digits below six in one group and the others in another."""
    pairs = load_pair_file(trained.folder / "dataset/digits/test_pairs.npz")
    path = tmp_path_factory.mktemp("grouped") / "test_pairs.npz"
    manifest = pairs.manifest | {"group_names": ["low", "high"]}
    save_pair_file(path, replace(pairs, groups=(pairs.labels > 5).astype(int), manifest=manifest))
    return f"{PAIRS} --test-pairs {path}"


def test_within_groups_it_reports_each_group(run, grouped, tmp_path):
    done = run(f"{grouped} --within group --ways 4 --episodes 60 --out {tmp_path} --json")
    report = json.loads(done.out)
    assert (report["within"], report["ci95_over"], report["ci95_count"]) == ("group", "groups", 2)
    accuracies = {group["name"]: group["accuracy"] for group in report["groups"]}
    assert set(accuracies) == {"low", "high"}
    assert list(accuracies.values()) == sorted(accuracies.values())
    assert "accuracy by group, the hardest first" in run(f"{grouped} --within group --ways 4 --episodes 60").out
    assert "groups" not in json.loads(run(f"{grouped} --ways 4 --episodes 60 --json").out)
    assert "got 6 of 10 classes in the largest group" in run(f"{grouped} --within group --ways 7").err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"one-shot {MODEL}", "one-shot must have either --pairs FILE or --dataset NAME; got neither"),
        (f"{PAIRS} --dataset digits", "got both"),
        (f"{PAIRS} --ways 11", "11-way 1-shot episodes must have 11 classes of at least 2 images; got 10 of 10"),
        (f"{PAIRS} --ways 1", "ways must be an integer from 2"),
        (f"{PAIRS} --within class", "within must be one of group; got 'class'"),
        (f"{PAIRS} --within group", "the images of digits must have groups for episodes within a group; got none"),
        (f"{PAIRS} --episodes-from e.json --ways 5", "--ways must be omitted with --episodes-from"),
        (f"{PAIRS} --episodes-from none.json", "cannot read the episodes none.json: No such file"),
        (f"{PAIRS} --protocol all-runs", "--pairs must be omitted with --protocol"),
        (f"one-shot {MODEL} --dataset digits --protocol all-runs", "all-runs must be omniglot; got digits"),
        (f"{PAIRS} --seed -1", "seed must be an integer from 0"),
        (f"{PAIRS} --rule median", "rule must be one of mean-embedding, mean-score, best-score; got 'median'"),
        ("one-shot none.keras --dataset digits", "none.keras"),
    ],
)
def test_errors_are_one_line(run, line, message):
    done = run(line)
    assert (done.code, "" if "using the pairs" in done.out else done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert message in done.err
    assert done.err.count("\n") == 1
