"""`siamese-tf evaluate`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from siamese_tf.commands.gallery import NO_DETECTION
from siamese_tf.commands.options import DataDir, DatasetOrNone, Images, Model, OneVsRest, Pairs, RestIsAClass, TestPairs
from siamese_tf.console import start_tensorflow
from siamese_tf.errors import SiameseError
from siamese_tf.printable import print_lines, warn

if TYPE_CHECKING:
    from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
    from siamese_tf.models.siamese_model import SiameseModel

AT = (
    "accuracy, f1, eer, a false match rate such as 0.01, or a limit of it such as '0.01 at 95%'; chosen on validation"
    " pairs, or on the other folds. 0.01 is an average: other people exceed it about as often as not. '0.01 at 95%' is"
    " an upper confidence bound: other people exceed it in 5% of the cases."
)
Image = Annotated[Path | None, Option(help="One of two images to compare, instead of pairs.")]


def evaluate(
    model: Model,
    pairs: Pairs = None,
    test_pairs: TestPairs = None,
    images: Images = None,
    dataset: DatasetOrNone = None,
    data_dir: DataDir = None,
    image1: Image = None,
    image2: Image = None,
    threshold_at: Annotated[str | None, Option(help=AT, show_default="the model's; with folds accuracy")] = None,
    one_vs_rest: OneVsRest = None,
    rest_is_a_class: RestIsAClass = False,
    seed: Annotated[int, Option(help="Of intervals, and the pairs and references of --one-vs-rest.", min=0)] = 0,
    out: Annotated[Path | None, Option(help="A folder for the report and the pictures.")] = None,
    as_json: Annotated[bool, Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Report what a saved model achieves on pairs, or what it says of two images.

    With a list of pairs, or --threshold-at, the report is that of a verification: FMR, FNMR, intervals over people
    (over images, where the people of the test are also those of the training).
    """
    if image1 is not None or image2 is not None:
        others: dict[str, object] = {"pairs": pairs, "test-pairs": test_pairs, "images": images, "dataset": dataset}
        others |= {"out": out, "threshold-at": threshold_at, "one-vs-rest": one_vs_rest, "data-dir": data_dir}
        others |= {"rest-is-a-class": rest_is_a_class or None}
        _compare(model, image1, image2, [name for name, value in others.items() if value is not None], as_json)
        return
    _check_one_source(pairs, dataset)
    from siamese_tf.data.pairs.listed_pairs import is_list
    from siamese_tf.data.pairs.load_pair_list import load_pair_list
    from siamese_tf.evaluation.thresholds import parse_rule

    listed = pairs is not None and is_list(pairs)
    rule = None if threshold_at is None else parse_rule(threshold_at)
    _check_classes(listed or rule is not None, one_vs_rest, rest_is_a_class)
    if listed and test_pairs is not None:
        raise SiameseError("a list of pairs brings its own test pairs: leave out --test-pairs")
    start_tensorflow()
    from siamese_tf.data.pairs.load_pairs import load_pairs
    from siamese_tf.data.sources.load import format_for
    from siamese_tf.models.model_file import load_model

    loaded, fold = load_model(model), None
    if pairs is not None and listed:
        opened, fold = load_pair_list(pairs, loaded.image_format, images)
    else:
        image_format = format_for(dataset or "", loaded.image_format)
        opened = load_pairs(
            dataset or "auto",
            data_dir=data_dir,
            pairs=pairs,
            test_pairs=test_pairs,
            image_format=image_format,
            images_folder=images,
        )
        if dataset is not None:
            _warn_of_other_pairs(loaded, opened)
    if listed or rule is not None:
        _verify(loaded, opened, as_json, fold=fold, rule=rule, folder=out, seed=seed)
    else:
        _report(loaded, opened, out, as_json, one_vs_rest, rest_is_a_class, seed)


def _warn_of_other_pairs(model: "SiameseModel", opened: "TrainTestPairs") -> None:
    """Warns where the pairs of a folder were drawn anew since the training: their test images may be its images."""
    from siamese_tf.data.sources.published import PUBLISHED

    pairs, dataset = model.record.get("pairs"), model.record.get("dataset")
    sha256 = pairs.get("sha256") if isinstance(pairs, dict) else None
    trained_on = sha256.get("train") if isinstance(sha256, dict) else None
    if dataset == opened.dataset and dataset not in PUBLISHED and trained_on not in (None, opened.train.sha256):
        warn(
            "the model was trained on other pairs of this data set, and the test images may be among its training"
            " images. Name the pair files of the training with --pairs"
        )


def _check_one_source(pairs: str | None, dataset: str | None) -> None:
    if (pairs is None) == (dataset is None):
        got = "both" if pairs else "neither"
        raise SiameseError(
            f"evaluate needs --pairs FILE or --dataset NAME, or --image1 FILE and --image2 FILE; got {got}"
        )


def _check_classes(verification: bool, one_vs_rest: str | None, rest_is_a_class: bool) -> None:
    if rest_is_a_class and one_vs_rest is None:
        raise SiameseError("--rest-is-a-class says how to take the rest of --one-vs-rest CLASS; name that class too")
    if verification and one_vs_rest is not None:
        raise SiameseError(
            "--one-vs-rest asks for a class, a list of pairs or --threshold-at for pairs as they are: leave out one"
        )


def _compare(model: Path, image1: Path | None, image2: Path | None, others: list[str], as_json: bool) -> None:
    if image1 is None or image2 is None or others:
        got = f"--{others[0]} as well" if others else "one of the two"
        raise SiameseError(f"two images are compared by --image1 FILE and --image2 FILE and nothing else; got {got}")
    start_tensorflow()
    from siamese_tf.inference.compare_images import compare_images
    from siamese_tf.models.model_file import load_model

    found = compare_images(load_model(model), image1, image2)
    print(NO_DETECTION, file=sys.stderr)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    print(f"cosine      {found.cosine:.4f}  (higher is more similar)")
    print(f"distance    {found.distance:.4f}  (lower is more similar)")
    print(f"probability {found.probability:.4f}  (threshold {found.threshold:.4f})")
    print(f"verdict     {'same' if found.same else 'different'}")


def _verify(model: "SiameseModel", opened: "TrainTestPairs", as_json: bool, **how: Any) -> None:
    from siamese_tf.evaluation.verification_table import verification_lines
    from siamese_tf.evaluation.verify_model import verify_model

    report = verify_model(model, opened, **how)
    _print(opened, report, verification_lines(report), as_json)


def _report(
    model: "SiameseModel",
    opened: "TrainTestPairs",
    out: Path | None,
    as_json: bool,
    one_vs_rest: str | None,
    rest_is_a_class: bool,
    seed: int,
) -> None:
    from siamese_tf.data.pairs.one_vs_rest import one_vs_rest as make_one_vs_rest
    from siamese_tf.evaluation.evaluate import evaluate_model
    from siamese_tf.evaluation.membership import evaluate_membership, membership_lines
    from siamese_tf.evaluation.report import report_table

    seen = opened
    about: dict[str, dict[str, Any]] = {}
    lines: list[str] = []
    if one_vs_rest is not None:
        seen = make_one_vs_rest(opened, one_vs_rest, rest_is_a_class=rest_is_a_class, seed=seed)
        told = seen.train.manifest["one_vs_rest"]
        about["one_vs_rest"] = told | evaluate_membership(model, opened, told["label"], seed=seed)
        lines = ["", *membership_lines(about["one_vs_rest"], told["class"])]
    reports = evaluate_model(model, seen, out, **about)
    _print(seen, {**reports, **about}, [*report_table(reports), *lines], as_json)


def _print(opened: "TrainTestPairs", report: dict[str, Any], lines: list[str], as_json: bool) -> None:
    print_lines(*opened.lines(), file=sys.stderr if as_json else sys.stdout)
    warn(*opened.warning_lines())
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        print_lines(*lines)
