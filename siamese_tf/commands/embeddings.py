"""`siamese-tf embed` and `siamese-tf plot embeddings`."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from siamese_tf.commands.options import AsJson, Model, check_one_source
from siamese_tf.commands.setting_flags import with_settings
from siamese_tf.config.data_config import DataConfig
from siamese_tf.console import start_tensorflow
from siamese_tf.errors import ConfigError
from siamese_tf.printable import print_lines, warn

if TYPE_CHECKING:  # `siamese-tf --help` loads none of these
    from siamese_tf.inference.embed_test_images import EmbeddedImages
    from siamese_tf.models.siamese_model import SiameseModel


@with_settings(DataConfig, ("dataset", "data_dir"), required=("dataset",))
def embed(
    given: dict[str, Any],
    model: Model,
    out: Annotated[Path, Option(help="File (.npz) to write the embeddings to.", show_default=False)],
) -> None:
    """Write the embeddings of all images of a data set."""
    start_tensorflow()
    from siamese_tf.data.pairs.npz import write_npz
    from siamese_tf.data.sources.load import format_for, load_source
    from siamese_tf.files import is_private
    from siamese_tf.inference.embed_images import embed_source
    from siamese_tf.models.model_file import load_model

    data = DataConfig(**given)
    loaded = load_model(model)
    source = load_source(data.dataset, data.data_dir, format_for(data.dataset, loaded.image_format))
    print_lines(*source.lines())
    warn(*source.warnings)
    arrays = embed_source(loaded, source)
    write_npz(out, arrays, private=is_private(source.origin))
    count, length = arrays["embeddings"].shape
    print_lines(f"wrote {count:,} embeddings of {length} numbers to {out}")


@with_settings(
    DataConfig,
    ("dataset", "data_dir", "pairs", "test_pairs", "one_vs_rest"),
    show_default={"dataset": False, "pairs": False},
)
def plot_embeddings(
    given: dict[str, Any],
    model: Model,
    images: Annotated[int, Option(help="Number of test images on the map, drawn at random.")] = 3000,
    thumbnails: Annotated[bool, Option("--thumbnails", help="Draw the images instead of dots.")] = False,
    projector: Annotated[Path | None, Option(help="Folder for the files of TensorBoard's projector.")] = None,
    seed: Annotated[int, Option(help="Random seed of the drawn images, the map and the order of ties.")] = 0,
    as_json: AsJson = False,
    out: Annotated[Path, Option(help="Picture (.png) to write the map to.")] = Path("embeddings.png"),
) -> None:
    """Draw a t-SNE map of the test images' embeddings, and print how well their classes are separated."""
    _check_plot(given, images, seed, out)
    start_tensorflow()
    from siamese_tf.evaluation.embedding_report import embedding_lines, embedding_report, normalize_for_distance
    from siamese_tf.models.model_file import load_model

    loaded = load_model(model)
    test = embed_given_images(loaded, given, as_json)
    test = replace(test, embeddings=normalize_for_distance(loaded, test.embeddings))
    report = embedding_report(test.embeddings, test.labels, seed)
    if as_json:
        print(json.dumps(report, indent=2), flush=True)
    else:
        print_lines(*embedding_lines(report))
    shown = _draw(test.sample(images, seed), loaded, seed, out, thumbnails, projector)
    if not as_json:
        print_lines(f"the map shows {shown}: {out}")


def embed_given_images(model: "SiameseModel", given: dict[str, Any], as_json: bool) -> "EmbeddedImages":
    """Embeds the test images of the typed data; the lines about the data go to standard error beside JSON."""
    from siamese_tf.inference.embed_test_images import embed_test_images

    data = DataConfig(**given)
    return embed_test_images(
        model,
        data.dataset,
        data_dir=data.data_dir,
        pairs=data.pairs,
        test_pairs=data.test_pairs,
        one_vs_rest=data.one_vs_rest,
        stream=sys.stderr if as_json else sys.stdout,
    )


def _check_plot(given: dict[str, Any], images: int, seed: int, out: Path) -> None:
    check_one_source("plot embeddings", given)
    for name, value, low in (("images", images, 1), ("seed", seed, 0)):
        if not low <= value < 2**32:
            raise ConfigError(f"{name} must be an integer from {low} to {2**32 - 1:,}; got {value}")
    if out.suffix.lower() != ".png":
        raise ConfigError(f"out must be a file that ends in .png; got {out}. Name a PNG file")


def _draw(
    test: "EmbeddedImages", model: "SiameseModel", seed: int, out: Path, thumbnails: bool, projector: Path | None
) -> str:
    """Writes the map, and the projector's files if there is a folder for them; returns what the map shows."""
    from siamese_tf.evaluation.plots.embeddings import save_embedding_plot, tsne
    from siamese_tf.inference.projector import write_projector

    names = test.class_names
    if projector is not None:
        write_projector(projector, test.embeddings, test.labels, names, test.images, private=test.private)
    shown = f"{len(test.images):,} test images{', where they do not overlap' if thumbnails else ''}"
    task = []
    if test.focus is not None:
        task = [f"{names[test.focus] if test.focus < len(names) else test.focus} against the rest"]
    source = ", ".join(filter(None, (test.dataset, model.record.get("objective"))))
    save_embedding_plot(
        tsne(test.embeddings, seed),
        test.labels,
        names,
        out,
        title=f"{source}: {', '.join([*task, shown])}",
        images=test.images if thumbnails else None,
        focus=test.focus,
        private=test.private,
    )
    return shown
