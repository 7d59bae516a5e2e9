"""`siamese-tf embed` and `siamese-tf plot embeddings`."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from siamese_tf.commands.options import DataDir, DatasetOrNone, GivenDataset, Model, OneVsRest, Pairs, TestPairs
from siamese_tf.console import start_tensorflow
from siamese_tf.errors import ConfigError, DatasetError, PairFileError, SiameseError
from siamese_tf.printable import print_lines, printable, warn

if TYPE_CHECKING:  # `siamese-tf --help` waits for none of these
    import numpy as np

    from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs


def embed(
    model: Model,
    dataset: GivenDataset,
    out: Annotated[Path, Option(help="The file (.npz) that gets the embeddings.", show_default=False)],
    data_dir: DataDir = None,
) -> None:
    """Write the embeddings of all images of a data set."""
    start_tensorflow()
    from siamese_tf.data.pairs.npz import write_npz
    from siamese_tf.data.sources.load import format_for, load_source
    from siamese_tf.files import is_private
    from siamese_tf.inference.embed_images import embed_source
    from siamese_tf.models.model_file import load_model

    loaded = load_model(model)
    source = load_source(dataset, data_dir, format_for(dataset, loaded.image_format))
    print_lines(*source.lines())
    warn(*source.warnings)
    arrays = embed_source(loaded, source)
    write_npz(out, arrays, private=is_private(source.origin))
    count, numbers = arrays["embeddings"].shape
    print_lines(f"wrote {count:,} embeddings of {numbers} numbers to {out}")


def plot_embeddings(
    model: Model,
    dataset: DatasetOrNone = None,
    data_dir: DataDir = None,
    pairs: Pairs = None,
    test_pairs: TestPairs = None,
    one_vs_rest: OneVsRest = None,
    images: Annotated[int, Option(help="Test images on the map, drawn at random.")] = 3000,
    thumbnails: Annotated[bool, Option("--thumbnails", help="Draw the images instead of dots.")] = False,
    projector: Annotated[Path | None, Option(help="A folder for TensorBoard's projector.")] = None,
    seed: Annotated[int, Option(help="Of the images drawn, the map, and the order of ties.")] = 0,
    as_json: Annotated[bool, Option("--json", help="Print the numbers as JSON.")] = False,
    out: Annotated[Path, Option(help="The picture (.png).")] = Path("embeddings.png"),
) -> None:
    """Draw a map of the test images as the model sees them, and print how well their classes are apart."""
    if (pairs is None) == (dataset is None):
        raise SiameseError(
            f"plot embeddings needs --pairs FILE or --dataset NAME; got {'both' if pairs else 'neither'}"
        )
    for name, value, least in (("images", images, 1), ("seed", seed, 0)):
        if not least <= value < 2**32:
            raise ConfigError(f"{name} is {value}; expected {least} or more, and less than 2**32")
    if out.suffix.lower() != ".png":
        raise ConfigError(f"the map is written as PNG, and --out is {out}. Name a file that ends in .png")
    start_tensorflow()
    import numpy as np

    from siamese_tf.data.pairs.listed_pairs import is_list
    from siamese_tf.data.pairs.load_pairs import load_pairs
    from siamese_tf.data.sources.load import format_for
    from siamese_tf.evaluation.embedding_report import embedding_lines, embedding_report, normalize_for_distance
    from siamese_tf.evaluation.plots.embeddings import save_embedding_plot, tsne
    from siamese_tf.inference.embed_images import embed_images
    from siamese_tf.inference.projector import write_projector
    from siamese_tf.models.model_file import load_model

    loaded = load_model(model)
    listed = pairs is not None and is_list(pairs)
    image_format = loaded.image_format if listed else format_for(dataset or "", loaded.image_format)
    opened = load_pairs(
        dataset or "auto", data_dir=data_dir, pairs=pairs, test_pairs=test_pairs, image_format=image_format
    )
    print_lines(*opened.lines(), file=sys.stderr if as_json else sys.stdout)
    warn(*opened.warning_lines())
    test = _test_images(opened, one_vs_rest)
    embeddings = normalize_for_distance(loaded, embed_images(loaded, test.images, opened.dataset))
    report = embedding_report(embeddings, test.labels, seed)
    if as_json:
        print(json.dumps(report, indent=2), flush=True)
    else:
        print_lines(*embedding_lines(report))
    sample = np.random.default_rng(seed).permutation(len(embeddings))[:images]
    embeddings, labels, drawn = embeddings[sample], test.labels[sample], test.images[sample]
    if projector is not None:
        write_projector(projector, embeddings, labels, test.class_names, drawn, private=test.private)
    what = [f"{len(sample):,} test images{', where they do not overlap' if thumbnails else ''}"]
    if test.focus is not None:
        names = test.class_names
        what.insert(0, f"{names[test.focus] if test.focus < len(names) else test.focus} against the rest")
    title = f"{', '.join(filter(None, (opened.dataset, loaded.record.get('objective'))))}: {', '.join(what)}"
    pictures = drawn if thumbnails else None
    points = tsne(embeddings, seed)
    save_embedding_plot(
        points,
        labels,
        test.class_names,
        out,
        title=title,
        images=pictures,
        focus=test.focus,
        private=test.private,
    )
    if not as_json:
        print_lines(f"the map shows {what[-1]}: {out}")


@dataclass(frozen=True, eq=False)
class _TestImages:
    """The test images (n, h, w, c), their labels (n,), what label k is called, the label to tell from the rest.

    `private` says whether only their owner may see pictures of them.
    """

    images: "np.ndarray"
    labels: "np.ndarray"
    class_names: list[str]
    focus: int | None
    private: bool


def _test_images(opened: "TrainTestPairs", one_vs_rest: str | None) -> _TestImages:
    from siamese_tf.data.pairs.one_vs_rest import class_label, labels_of
    from siamese_tf.data.pairs.pair_file import TEST

    if opened.test is None:
        raise PairFileError("there are no test pairs, and only test images are drawn. Name a file with --test-pairs")
    positions = opened.test.images_of(TEST)
    labels = labels_of(opened.test)[positions]
    focus = None if one_vs_rest is None else class_label(opened.test, one_vs_rest)
    if focus is not None and focus not in labels:
        raise DatasetError(f"no test image is of class {one_vs_rest}. Choose another class, or other pairs")
    names = opened.test.manifest.get("class_names")
    class_names = [printable(str(name)) for name in names] if isinstance(names, list) else []
    return _TestImages(opened.test.images[positions], labels, class_names, focus, opened.test.private)
