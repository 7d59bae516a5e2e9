"""`siamese-tf one-shot`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from siamese_tf.commands.embeddings import embed_given_images
from siamese_tf.commands.options import AsJson, Model, check_one_source
from siamese_tf.commands.setting_flags import with_settings
from siamese_tf.config.checks import check_choice
from siamese_tf.config.data_config import DataConfig
from siamese_tf.console import start_tensorflow
from siamese_tf.files import atomic_write
from siamese_tf.printable import print_lines

if TYPE_CHECKING:  # `siamese-tf --help` loads none of these
    import numpy as np

    from siamese_tf.evaluation.episodes import Episodes
    from siamese_tf.inference.embed_test_images import EmbeddedImages


@with_settings(
    DataConfig,
    ("dataset", "data_dir", "pairs", "test_pairs"),
    show_default={"dataset": False, "pairs": False},
)
def one_shot(
    given: dict[str, Any],
    model: Model,
    ways: Annotated[int, Option(help="Number of classes per episode.")] = 5,
    shots: Annotated[int, Option(help="Number of support images per class.")] = 1,
    episodes: Annotated[int, Option(help="Number of episodes.")] = 1000,
    rule: Annotated[
        str, Option(help="Score of a class: mean-embedding, mean-score or best-score of its support images.")
    ] = "mean-embedding",
    seed: Annotated[int, Option(help="Random seed of the episodes and of the choice between equal scores.")] = 0,
    against: Annotated[Path | None, Option(help="Other model (.keras) to compare on the same episodes.")] = None,
    out: Annotated[Path | None, Option(help="Folder for the report and the plot of the mistakes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Classify test images among n classes that are given by k images each."""
    check_one_source("one-shot", given)
    start_tensorflow()
    from siamese_tf.evaluation.episodes import check_draw, draw_episodes
    from siamese_tf.evaluation.one_shot import classify_episodes, one_shot_lines, one_shot_report, paired_difference
    from siamese_tf.inference.embed_images import embed_images
    from siamese_tf.models.classify import RULES
    from siamese_tf.models.model_file import load_model

    check_choice("rule", rule, RULES)
    check_draw(ways, shots, episodes, seed)
    loaded = load_model(model)
    test = embed_given_images(loaded, given, as_json)
    drawn = draw_episodes(test.labels, ways, shots, episodes, seed)
    chosen = classify_episodes(loaded.all_pairs, test.embeddings, drawn, rule, seed)
    report = one_shot_report(test.labels, drawn, chosen)
    if against is not None:
        other = load_model(against)
        embeddings = embed_images(other, test.images, test.dataset)
        of_other = classify_episodes(other.all_pairs, embeddings, drawn, rule, seed)
        report["against"] = {"model": str(against)} | paired_difference(test.labels, drawn, chosen, of_other)
    entries = {"dataset": test.dataset, "rule": rule, "seed": seed, **report}
    if out is not None:
        _save(out, entries, test, drawn, chosen)
    if as_json:
        print(json.dumps(entries, indent=2))
    else:
        print_lines(*one_shot_lines(report, test.class_names))


def _save(
    out: Path, entries: dict[str, Any], test: "EmbeddedImages", episodes: "Episodes", chosen: "np.ndarray"
) -> None:
    from siamese_tf.evaluation.plots.one_shot import save_one_shot_plot

    with atomic_write(out / "report.json", "w") as file:
        file.write(json.dumps(entries, indent=2) + "\n")
    save_one_shot_plot(
        test.images,
        test.labels,
        test.class_names,
        episodes,
        chosen,
        out / "mistakes.png",
        title=f"{test.dataset}, {entries['ways']}-way {entries['shots']}-shot",
        private=test.private,
    )
