"""`siamese-tf evaluate`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from siamese_tf.commands.gallery import NO_DETECTION
from siamese_tf.commands.model_pairs import load_model_pairs
from siamese_tf.commands.options import AsJson, Model, check_one_source
from siamese_tf.commands.setting_flags import with_settings
from siamese_tf.config.data_config import DataConfig
from siamese_tf.console import start_tensorflow
from siamese_tf.errors import SiameseError
from siamese_tf.printable import print_lines, warn

if TYPE_CHECKING:
    from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
    from siamese_tf.evaluation.thresholds import Rule
    from siamese_tf.models.siamese_model import SiameseModel

DATA = ("dataset", "data_dir", "pairs", "test_pairs", "images", "one_vs_rest", "rest_is_a_class")
THRESHOLD_AT = (
    "Rule for the threshold: accuracy, f1, eer, an FMR such as 0.01, or a limit on the FMR such as '0.01 at 95%';"
    " applied to validation pairs, or to the other folds. 0.01 is an average that other people exceed about half of"
    " the time; '0.01 at 95%' is an upper confidence bound that other people exceed in 5% of the cases."
)
Image = Annotated[Path | None, Option(help="One of two image files to compare, instead of pairs.")]


@with_settings(DataConfig, DATA, show_default={"dataset": False, "pairs": False})
def evaluate(
    given: dict[str, Any],
    model: Model,
    image1: Image = None,
    image2: Image = None,
    threshold_at: Annotated[
        str | None, Option(help=THRESHOLD_AT, show_default="the model's threshold; with folds accuracy")
    ] = None,
    seed: Annotated[
        int, Option(help="Random seed of the intervals, and of the pairs and references of --one-vs-rest.", min=0)
    ] = 0,
    out: Annotated[Path | None, Option(help="Folder for the report and the plots.")] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a saved model on pairs, or compare two images.

    A list of pairs, or --threshold-at, gives a verification report: FMR and FNMR with intervals over people.
    """
    if image1 is not None or image2 is not None:
        others = {**given, "out": out, "threshold-at": threshold_at}
        _compare(model, image1, image2, [name for name, value in others.items() if value is not None], as_json)
        return
    check_one_source("evaluate", given, ", or --image1 FILE and --image2 FILE")
    from siamese_tf.evaluation.thresholds import parse_rule

    data = DataConfig(**given)
    rule = None if threshold_at is None else parse_rule(threshold_at)
    if _is_list(data) or rule is not None:
        _verify(model, data, rule, seed, out, as_json)
    else:
        _report(model, data, seed, out, as_json)


def _is_list(data: DataConfig) -> bool:
    from siamese_tf.data.pairs.listed_pairs import is_list

    return data.pairs is not None and is_list(data.pairs)


def _compare(model: Path, image1: Path | None, image2: Path | None, others: list[str], as_json: bool) -> None:
    """Prints how similar two images are."""
    if image1 is None or image2 is None or others:
        got = f"--{others[0].replace('_', '-')}, too" if others else "one of the two"
        raise SiameseError(f"--image1 and --image2 must be given together, without pairs or a data set; got {got}")
    start_tensorflow()
    from siamese_tf.inference.compare_images import compare_images
    from siamese_tf.models.model_file import load_model

    comparison = compare_images(load_model(model), image1, image2)
    print(NO_DETECTION, file=sys.stderr)
    if as_json:
        print(json.dumps(asdict(comparison)))
        return
    print(f"cosine      {comparison.cosine:.4f}  (higher is more similar)")
    print(f"distance    {comparison.distance:.4f}  (lower is more similar)")
    print(f"probability {comparison.probability:.4f}  (threshold {comparison.threshold:.4f})")
    print(f"verdict     {'same' if comparison.same else 'different'}")


def _verify(path: Path, data: DataConfig, rule: "Rule | None", seed: int, out: Path | None, as_json: bool) -> None:
    """Prints the verification report of a list of pairs, or of pairs with a threshold rule."""
    if data.one_vs_rest is not None:
        raise SiameseError(
            "--one-vs-rest must be omitted with a list of pairs and with --threshold-at, which evaluate pairs without"
            f" classes; got {data.one_vs_rest!r}. Omit one of them"
        )
    if _is_list(data) and data.test_pairs is not None:
        raise SiameseError(
            f"--test-pairs must be omitted with a list of pairs, which are the test pairs; got {data.test_pairs}."
            " Omit it"
        )
    start_tensorflow()
    from siamese_tf.data.pairs.load_pair_list import load_pair_list
    from siamese_tf.evaluation.verification_table import verification_lines
    from siamese_tf.evaluation.verify_model import verify_model
    from siamese_tf.models.model_file import load_model

    model, fold = load_model(path), None
    if data.pairs is not None and _is_list(data):
        pairs, fold = load_pair_list(data.pairs, model.image_format, data.images)
    else:
        pairs = _load_pairs(model, data)
    report = verify_model(model, pairs, fold=fold, rule=rule, folder=out, seed=seed)
    _print(pairs, report, verification_lines(report), as_json)


def _report(path: Path, data: DataConfig, seed: int, out: Path | None, as_json: bool) -> None:
    """Prints the report of pairs by split; with `one_vs_rest` that of a class against the rest, too."""
    start_tensorflow()
    from siamese_tf.data.pairs.one_vs_rest import one_vs_rest
    from siamese_tf.evaluation.evaluate import evaluate_model
    from siamese_tf.evaluation.membership import evaluate_membership, membership_lines
    from siamese_tf.evaluation.report import report_table
    from siamese_tf.models.model_file import load_model

    model = load_model(path)
    original = pairs = _load_pairs(model, data)
    extra: dict[str, dict[str, Any]] = {}
    lines: list[str] = []
    if data.one_vs_rest is not None:
        pairs = one_vs_rest(original, data.one_vs_rest, rest_is_a_class=data.rest_is_a_class, seed=seed)
        task = pairs.train.manifest["one_vs_rest"]
        extra["one_vs_rest"] = task | evaluate_membership(model, original, task["label"], seed=seed)
        lines = ["", *membership_lines(extra["one_vs_rest"], task["class"])]
    reports = evaluate_model(model, pairs, out, **extra)
    _print(pairs, {**reports, **extra}, [*report_table(reports), *lines], as_json)


def _load_pairs(model: "SiameseModel", data: DataConfig) -> "TrainTestPairs":
    pairs = load_model_pairs(model, data)
    if data.pairs is None:
        _warn_of_other_pairs(model, pairs)
    return pairs


def _warn_of_other_pairs(model: "SiameseModel", pairs: "TrainTestPairs") -> None:
    """Warns if the pairs of a folder were drawn again after the training: test images may be training images."""
    from siamese_tf.data.sources.published import PUBLISHED

    recorded, dataset = model.record.get("pairs"), model.record.get("dataset")
    sha256 = recorded.get("sha256") if isinstance(recorded, dict) else None
    trained_on = sha256.get("train") if isinstance(sha256, dict) else None
    if dataset == pairs.dataset and dataset not in PUBLISHED and trained_on not in (None, pairs.train.sha256):
        warn(
            "the model was trained on other pairs of this data set, and the test images may be among its training"
            " images. Name the pair files of the training with --pairs"
        )


def _print(pairs: "TrainTestPairs", report: dict[str, Any], lines: list[str], as_json: bool) -> None:
    print_lines(*pairs.lines(), file=sys.stderr if as_json else sys.stdout)
    warn(*pairs.warning_lines())
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        print_lines(*lines)
