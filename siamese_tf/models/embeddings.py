"""Checks that embeddings can be compared: finite and not zero. Uses NumPy only."""

import numpy as np
from numpy.typing import ArrayLike

from siamese_tf.errors import ImageError
from siamese_tf.printable import short_reason

SHORTEST = 1e-6  # minimum length; a shorter embedding has no meaningful direction


def as_embeddings(embeddings: ArrayLike, embedding_dim: int, single: bool = False) -> np.ndarray:
    """Converts embeddings to an (n, d) float32 array.

    Args:
        embeddings: (n, d) array-like of numbers.
        embedding_dim: expected size d of an embedding.
        single: also accepts one embedding of shape (d,).

    Returns:
        (n, d) float32; n is 1 for a single embedding.

    Raises:
        ImageError: if the embeddings are not numeric or do not have shape (n, `embedding_dim`).
    """
    try:
        rows = np.asarray(embeddings, np.float32)
    except (TypeError, ValueError) as error:
        raise ImageError(
            f"embeddings must be an (n, d) array of numbers; got {short_reason(error)}. Compute them with model.embed"
        ) from error
    if single and rows.ndim == 1:
        rows = rows[np.newaxis]
    if rows.ndim != 2 or rows.shape[1] != embedding_dim:
        raise ImageError(
            f"embeddings must have shape (n, {embedding_dim}) for this model; got {rows.shape}."
            " Compute them with model.embed from a stack of images"
        )
    return rows


def comparable(embeddings: np.ndarray) -> np.ndarray:
    """Returns an (n,) bool mask of the (n, d) embeddings that are finite and not zero."""
    squares = np.einsum("ij,ij->i", embeddings, embeddings)  # squared lengths; not finite if any value is not
    return np.isfinite(squares) & (squares > SHORTEST**2)


def check_comparable(embeddings: np.ndarray, name: str = "images", positions: np.ndarray | None = None) -> None:
    """Rejects embeddings that cannot be compared, since their scores would be meaningless.

    Args:
        embeddings: (n, d) float.
        name: name of the array of images, for the message.
        positions: (n,) index of each row in that array, for the message; 0 to n - 1 if None.

    Raises:
        ImageError: if an embedding is zero or not finite; the message gives the position of the first one.
    """
    fine = comparable(embeddings)
    if fine.all():
        return
    wrong = np.flatnonzero(~fine)
    first = wrong[0] if positions is None else positions[wrong[0]]
    more = f" and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
    raise ImageError(
        f"embeddings must be finite and not zero; got an invalid one for {name}[{first}]{more}, of {len(embeddings):,}."
        " Check the image, and run evaluate on the model"
    )


def check_some_comparable(embeddings: np.ndarray, name: str) -> None:
    """Rejects the embeddings of a data set if all are zero or one is not finite; some may be zero.

    Args:
        embeddings: (n, d) float; a tower that ends in a ReLU can return a few zero embeddings.
        name: name of the data set, for the message.

    Raises:
        ImageError: if an embedding is not finite, or all of them are zero.
    """
    fine = comparable(embeddings)
    infinite = np.count_nonzero(~np.isfinite(embeddings).all(axis=1))
    if infinite or not (fine.any() or not len(fine)):
        raise ImageError(
            f"embeddings must be finite and not all zero; got {np.count_nonzero(~fine):,} invalid ones for the"
            f" {len(fine):,} images of {name}: {infinite:,} not finite, the others 0. Use another model, or train this"
            " one again"
        )


def check_scores(scores: np.ndarray) -> None:
    """Rejects scores or logits that are not finite, since they cannot be compared with a threshold.

    Raises:
        ImageError: if one of them is NaN or infinite.
    """
    finite = np.isfinite(scores)
    if not finite.all():
        raise ImageError(
            f"scores must be finite; got NaN or infinity for {np.count_nonzero(~finite):,} of {scores.size:,} pairs: an"
            " embedding is 0 or not finite, or pixels are out of range (integers are 0 to 255, floats 0 to 1). Check"
            " the images, and run evaluate on the model"
        )
