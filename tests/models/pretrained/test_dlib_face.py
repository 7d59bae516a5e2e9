"""Compares the import with dlib 20.0: EXPECTED is what its network gives for `waves()`."""

import numpy as np
import pytest

from siamese_tf.config.pretrained import PRETRAINED
from siamese_tf.errors import ModelFileError
from siamese_tf.models.pretrained.dlib_face import import_dlib_face
from siamese_tf.models.pretrained.packages import read_weights
from siamese_tf.models.towers.dlib_face import dlib_face

EXPECTED = [  # the first six of the 128 values of each embedding
    [-0.082139, 0.153302, 0.077502, -0.014464, -0.068525, -0.047492],
    [-0.076195, 0.170570, 0.081019, -0.037134, -0.075625, -0.034188],
    [-0.066492, 0.138162, 0.043458, -0.015813, -0.084031, -0.003042],
    [-0.063869, 0.137583, 0.066581, 0.014088, -0.063207, -0.008027],
]


def waves() -> np.ndarray:
    """Returns four 150x150 images of color waves, (4, 150, 150, 3) uint8, computed without random numbers."""
    row, column = np.mgrid[:150, :150][..., np.newaxis]
    angles = [row * (0.05 + 0.03 * n) + column * (0.19 - 0.04 * n) + n + np.arange(3) for n in range(4)]
    return np.uint8(np.round(127.5 + 127.5 * np.sin(angles)))


@pytest.fixture(scope="module")
def content() -> bytes:
    return read_weights(PRETRAINED["faces"])


def test_the_embeddings_are_those_of_dlib(content):
    tower = dlib_face((150, 150, 3), 128)
    import_dlib_face(tower, content)
    embeddings = np.asarray(tower(waves().astype(np.float32) / 255))
    np.testing.assert_allclose(embeddings[:, :6], EXPECTED, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda content: content[:19_380], "got no"),
        (lambda content: content + content[300:400], "got more"),
        (
            lambda content: content.replace(b"con_4\x01\x02\x02\x80\x12", b"con_4\x01\x02\x02\x81\x12", 1),
            "4,736 numbers",
        ),
    ],
)
def test_other_layers_are_refused(content, change, finding):
    tower = dlib_face((150, 150, 3), 128)
    before = tower.get_weights()
    with pytest.raises(ModelFileError, match=finding):
        import_dlib_face(tower, change(content))
    assert all((now == then).all() for now, then in zip(tower.get_weights(), before, strict=True))
