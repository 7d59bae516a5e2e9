"""`siamese-tf one-shot`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from siamese_tf.commands.episode_flags import (
    Count,
    FromFile,
    OfProtocol,
    Shots,
    ToFile,
    Ways,
    Within,
    check_episode_flags,
    embed_again,
    load_test,
)
from siamese_tf.commands.options import AsJson, Model, check_one_source
from siamese_tf.commands.setting_flags import with_settings
from siamese_tf.config.checks import check_choice, check_whole
from siamese_tf.config.data_config import DataConfig
from siamese_tf.console import start_tensorflow
from siamese_tf.files import atomic_write
from siamese_tf.printable import print_lines

if TYPE_CHECKING:  # `siamese-tf --help` loads none of these
    import numpy as np

    from siamese_tf.inference.one_shot_test import OneShotTest


@with_settings(
    DataConfig,
    ("dataset", "data_dir", "pairs", "test_pairs"),
    show_default={"dataset": False, "pairs": False},
)
def one_shot(
    given: dict[str, Any],
    model: Model,
    ways: Ways = None,
    shots: Shots = None,
    episodes: Count = None,
    within: Within = None,
    write_episodes: ToFile = None,
    episodes_from: FromFile = None,
    protocol: OfProtocol = None,
    rule: Annotated[
        str, Option(help="Score of a class: mean-embedding, mean-score or best-score of its support images.")
    ] = "mean-embedding",
    seed: Annotated[int, Option(help="Random seed of the episodes and of the choice between equal scores.")] = 0,
    against: Annotated[Path | None, Option(help="Other model (.keras) to compare on the same episodes.")] = None,
    out: Annotated[Path | None, Option(help="Folder for the report and the plot of the mistakes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Classify test images among n classes that are given by k images each."""
    flags = {"ways": ways, "shots": shots, "episodes": episodes, "within": within, "write_episodes": write_episodes}
    flags |= {"episodes_from": episodes_from, "protocol": protocol}
    check_one_source("one-shot", given)
    check_episode_flags(flags, given)
    start_tensorflow()
    from siamese_tf.evaluation.classify_episodes import choose_classes, classify_episodes, episode_logits
    from siamese_tf.evaluation.one_shot_lines import one_shot_lines
    from siamese_tf.models.classify import RULES
    from siamese_tf.models.model_file import load_model

    check_choice("rule", rule, RULES)
    check_whole("seed", seed, 0, 2**32 - 1)
    loaded = load_model(model)
    test = load_test(loaded, flags, given, seed, as_json)
    logits = episode_logits(loaded.all_pairs, test.images.embeddings, test.episodes, rule)
    chosen = choose_classes(logits, seed)
    report = test.report(chosen, logits, seed)
    if against is not None:
        other = load_model(against)
        embeddings = embed_again(test, loaded, other, given, as_json)
        of_other = classify_episodes(other.all_pairs, embeddings, test.episodes, rule, seed)
        report["against"] = {"model": str(against)} | test.difference(chosen, of_other)
    entries = {"dataset": test.images.dataset, "rule": rule, "seed": seed, **report}
    if out is not None:
        _save(out, entries, test, chosen)
    if as_json:
        print(json.dumps(entries, indent=2))
    else:
        print_lines(*one_shot_lines(report, test.images.class_names))


def _save(out: Path, entries: dict[str, Any], test: "OneShotTest", chosen: "np.ndarray") -> None:
    from siamese_tf.evaluation.plots.one_shot import save_one_shot_plot

    with atomic_write(out / "report.json", "w") as file:
        file.write(json.dumps(entries, indent=2) + "\n")
    images = test.images
    save_one_shot_plot(
        images.images,
        images.labels,
        images.class_names,
        test.episodes,
        chosen,
        out / "mistakes.png",
        title=test.title,
        groups=images.groups,
        group_names=images.group_names,
        private=images.private,
    )
