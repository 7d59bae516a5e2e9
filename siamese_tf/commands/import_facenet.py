"""`siamese-tf import-facenet`."""

from pathlib import Path
from typing import Annotated

from typer import Argument

from siamese_tf.console import start_tensorflow
from siamese_tf.errors import ModelFileError
from siamese_tf.printable import print_lines


def import_facenet(
    file: Annotated[Path, Argument(help="The state_dict of facenet-pytorch: .safetensors, .npz or .pt.")],
    out: Annotated[Path, Argument(help="Where the model goes (.keras).")],
) -> None:
    """Make a model of FaceNet's published weights, from a file that you have."""
    if out.suffix != ".keras":
        raise ModelFileError(f"a model file must be named *.keras; got {str(out)!r}")
    start_tensorflow()
    from siamese_tf.models.model_file import save_model
    from siamese_tf.models.pretrained.import_facenet import import_facenet as read

    model = read(file)
    save_model(model, out)
    height, width, channels = model.input_size
    print_lines(f"wrote {out}: faces of {height}x{width}x{channels} to embeddings of {model.embedding_dim} numbers")
    print(
        "It is not calibrated: a pair is called the same from a cosine of 0.5 on, which no pair of yours has confirmed."
    )
