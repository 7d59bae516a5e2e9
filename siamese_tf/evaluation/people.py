"""People inferred from pairs, for pairs whose images carry no labels."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def people_of_pairs(img1: ArrayLike, img2: ArrayLike, similarity: ArrayLike, images: int) -> np.ndarray:
    """Returns a person number for each image: images connected by same pairs, directly or not, are one person.

    An image in no same pair counts as a separate person.

    Args:
        img1, img2: integers (m,), positions of images.
        similarity: (m,), 1 = same, 0 = different.
        images: n, the number of images.

    Returns:
        (n,) int64, equal for images of one person.
    """
    same = np.asarray(similarity) == 1
    edges = (np.ones(np.count_nonzero(same), np.int8), (np.asarray(img1)[same], np.asarray(img2)[same]))
    return connected_components(coo_array(edges, (images, images)), directed=False)[1].astype(np.int64)
