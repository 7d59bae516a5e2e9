"""`siamese-tf pretrained`."""

import sys
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from siamese_tf.commands.model_pairs import load_model_pairs
from siamese_tf.commands.setting_flags import with_settings
from siamese_tf.config.data_config import DataConfig
from siamese_tf.config.pretrained import PRETRAINED
from siamese_tf.console import start_tensorflow
from siamese_tf.errors import ConfigError, ModelFileError
from siamese_tf.printable import print_lines, warn

NAMES = "; ".join(
    f"{name}, for {row.about} of {row.input_size[0]}x{row.input_size[1]}" for name, row in PRETRAINED.items()
)


@with_settings(DataConfig, ("dataset", "data_dir", "pairs", "images"), show_default={"dataset": False, "pairs": False})
def pretrained(
    given: dict[str, Any],
    name: Annotated[str, Argument(help=f"Model: {NAMES}.", show_default=False)],
    out: Annotated[Path, Option(help="Output model file (.keras).", show_default=False)],
) -> None:
    """Make a model of published weights, calibrated on your pairs if you name some.

    The weights come with a package, which the extra of the same name installs; nothing is downloaded. Without --dataset
    or --pairs, the threshold is at the published distance or, if there is none, at a cosine similarity of 0.5.
    """
    if out.suffix != ".keras":
        raise ModelFileError(f"a model file must be named *.keras; got {str(out)!r}")
    if "dataset" in given and "pairs" in given:
        raise ConfigError("pretrained must have at most one of --pairs FILE and --dataset NAME; got both")
    start_tensorflow()
    from siamese_tf.models.model_file import save_model
    from siamese_tf.models.pretrained.packages import pretrained_model
    from siamese_tf.training.pretrained import calibrate_pretrained

    model = pretrained_model(name)
    if "dataset" in given or "pairs" in given:
        pairs = load_model_pairs(model, DataConfig(**given))
        print_lines(*pairs.lines())
        warn(*pairs.warning_lines())
        calibrate_pretrained(model, pairs)
    else:
        print("The model is not calibrated: its threshold was not validated on your data.", file=sys.stderr)
    save_model(model, out)
    height, width, channels = model.input_size
    print_lines(
        f"wrote {out}: {PRETRAINED[name].about} of {height}x{width}x{channels} to embeddings of {model.embedding_dim}"
        f" values, threshold {model.threshold:.4f}"
    )
