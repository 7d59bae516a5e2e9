"""`siamese-tf import-facenet`."""

from pathlib import Path
from typing import Annotated

from typer import Argument

from siamese_tf.console import start_tensorflow
from siamese_tf.errors import ModelFileError
from siamese_tf.printable import print_lines


def import_facenet(
    file: Annotated[Path, Argument(help="State dict of facenet-pytorch: .safetensors, .npz or .pt.")],
    out: Annotated[Path, Argument(help="Output model file (.keras).")],
) -> None:
    """Convert a local file of FaceNet's published weights to a model."""
    if out.suffix != ".keras":
        raise ModelFileError(f"a model file must be named *.keras; got {str(out)!r}")
    start_tensorflow()
    from siamese_tf.models.model_file import save_model
    from siamese_tf.models.pretrained.import_facenet import import_facenet as import_weights

    model = import_weights(file)
    save_model(model, out)
    height, width, channels = model.input_size
    print_lines(f"wrote {out}: faces of {height}x{width}x{channels} to embeddings of {model.embedding_dim} values")
    print(
        "The model is not calibrated: a pair is called the same at a cosine similarity of 0.5 or more, a default that"
        " was not validated on your data."
    )
