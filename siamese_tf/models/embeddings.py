"""Checks of embeddings: finite and not zero, so that they can be compared. NumPy only."""

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import ImageError
from siamese_tf.printable import short_reason

SHORTEST = 1e-6  # a length; a shorter embedding has no direction


def as_embeddings(embeddings: ArrayLike, embedding_dim: int, single: bool = False) -> np.ndarray:
    """Returns embeddings as (n, d) float32.

    Args:
        embeddings: (n, d) numbers.
        embedding_dim: d.
        single: takes (d,), one embedding, too.

    Raises:
        ImageError: they are no numbers, or of another shape than (n, `embedding_dim`).
    """
    try:
        rows = np.asarray(embeddings, np.float32)
    except (TypeError, ValueError) as error:
        raise ImageError(
            f"embeddings must be numbers, (n, d): {short_reason(error)}. Take the model's own embed"
        ) from error
    if single and rows.ndim == 1:
        rows = rows[np.newaxis]
    if rows.ndim != 2 or rows.shape[1] != embedding_dim:
        raise ImageError(
            f"this model's embeddings have the shape (n, {embedding_dim}); got {rows.shape}."
            " Take those that its own embed gives for a stack of images"
        )
    return rows


def comparable(embeddings: np.ndarray) -> np.ndarray:
    """Returns a bool mask (n,) of the embeddings (n, d) that are finite and not zero."""
    squares = np.einsum("ij,ij->i", embeddings, embeddings)  # of the lengths; not finite where a number is not
    return np.isfinite(squares) & (squares > SHORTEST**2)


def check_comparable(embeddings: np.ndarray, name: str = "images", positions: np.ndarray | None = None) -> None:
    """Rejects embeddings if one of them cannot be compared, since its scores would be meaningless.

    Args:
        embeddings: (n, d) float.
        name: what the rows are in, for the message.
        positions: (n,) where the rows are in it; one after another without.

    Raises:
        ImageError: an embedding is zero or not finite; the message gives the position of the first.
    """
    fine = comparable(embeddings)
    if fine.all():
        return
    wrong = np.flatnonzero(~fine)
    first = wrong[0] if positions is None else positions[wrong[0]]
    more = f" and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
    raise ImageError(
        f"an embedding is 0 or not finite, and cannot be compared: {name}[{first}]{more}, of {len(embeddings):,}."
        " Look at the image, and at the model with evaluate"
    )


def check_some_comparable(embeddings: np.ndarray, name: str) -> None:
    """Rejects the embeddings of a data set if none can be compared; single invalid images are accepted.

    Args:
        embeddings: (n, d) float; a few zero ones are what a ReLU at the end of a tower gives.
        name: of the data set, for the message.

    Raises:
        ImageError: an embedding is not finite, or all of them are zero.
    """
    fine = comparable(embeddings)
    infinite = np.count_nonzero(~np.isfinite(embeddings).all(axis=1))
    if infinite or not (fine.any() or not len(fine)):
        raise ImageError(
            f"the model gives no embedding that can be compared for {np.count_nonzero(~fine):,} of the {len(fine):,}"
            f" images of {name}, {infinite:,} of them not finite, the others 0. Take another model, or train it again"
        )


def check_scores(scores: np.ndarray) -> None:
    """Rejects scores or logits that are not finite, since no comparison with a threshold is valid.

    Raises:
        ImageError: one of them is NaN or infinite.
    """
    finite = np.isfinite(scores)
    if not finite.all():
        raise ImageError(
            f"the model gives no finite number for {np.count_nonzero(~finite):,} of {scores.size:,} pairs: an embedding"
            " is 0 or not finite, or pixels are out of range (integers are 0 to 255, floats 0 to 1). Look at the"
            " images, and at the model with evaluate"
        )
