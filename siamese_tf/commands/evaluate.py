"""`siamese-tf evaluate`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from siamese_tf.commands.options import DataDir, Model, OneVsRest, Pairs, RestIsAClass, TestPairs
from siamese_tf.console import start_tensorflow
from siamese_tf.errors import SiameseError


def evaluate(
    model: Model,
    pairs: Pairs = None,
    test_pairs: TestPairs = None,
    dataset: Annotated[str | None, Option(help="mnist, fashion-mnist, digits, or a folder of IDX files.")] = None,
    data_dir: DataDir = None,
    one_vs_rest: OneVsRest = None,
    rest_is_a_class: RestIsAClass = False,
    seed: Annotated[int, Option(help="Of the pairs and references of --one-vs-rest.", min=0)] = 0,
    out: Annotated[Path | None, Option(help="A folder for the report and the pictures.")] = None,
    as_json: Annotated[bool, Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Report what a saved model achieves on pairs, with its own threshold."""
    if (pairs is None) == (dataset is None):
        raise SiameseError(f"evaluate needs --pairs FILE or --dataset NAME; got {'both' if pairs else 'neither'}")
    if rest_is_a_class and one_vs_rest is None:
        raise SiameseError("--rest-is-a-class says how to take the rest of --one-vs-rest CLASS; name that class too")
    start_tensorflow()
    from siamese_tf.data.one_vs_rest import one_vs_rest as make_one_vs_rest
    from siamese_tf.data.open import open_pairs
    from siamese_tf.evaluation.evaluate import evaluate_model
    from siamese_tf.evaluation.membership import evaluate_membership, membership_lines
    from siamese_tf.evaluation.report import report_table
    from siamese_tf.models.model_file import load_model

    loaded = load_model(model)
    opened = seen = open_pairs(dataset or "auto", data_dir=data_dir, pairs=pairs, test_pairs=test_pairs)
    about: dict[str, dict[str, Any]] = {}
    lines: list[str] = []
    if one_vs_rest is not None:
        seen = make_one_vs_rest(opened, one_vs_rest, rest_is_a_class=rest_is_a_class, seed=seed)
        told = seen.train.manifest["one_vs_rest"]
        about["one_vs_rest"] = told | evaluate_membership(loaded, opened, told["label"], seed=seed)
        lines = ["", *membership_lines(about["one_vs_rest"], told["class"])]
    reports = evaluate_model(loaded, seen, out, **about)
    print("\n".join(seen.lines()), file=sys.stderr if as_json else sys.stdout)
    print(json.dumps({**reports, **about}, indent=2) if as_json else "\n".join([*report_table(reports), *lines]))
