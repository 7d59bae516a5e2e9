"""Files that can be read are embedded, and the others have a reason."""

import numpy as np
import pytest
from PIL import Image

from siamese_tf.errors import ImageError
from siamese_tf.inference.embed_files import embed_files


class Model:
    """The mean of each channel, and how often it was asked."""

    input_size, resize = (4, 4, 1), "pad"

    def __init__(self):
        self.calls = 0

    def embed(self, images):
        self.calls += 1
        return images.mean((1, 2)).astype(np.float32)


@pytest.fixture
def files(tmp_path):
    for number in (10, 20):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "text.png").write_text("no image")
    return tmp_path


def test_what_can_be_read_is_embedded_at_once(files):
    model = Model()
    paths = [files / name for name in ("text.png", "20.png", "gone.png", "10.png")]
    embeddings, errors = embed_files(model, paths)
    np.testing.assert_array_equal(embeddings, [[20.0], [10.0]])
    assert model.calls == 1
    assert [error is None for error in errors] == [False, True, False, True]
    assert "no image of a known format" in errors[0]
    assert "there is no such file" in errors[2]


@pytest.mark.parametrize(("names", "words"), [(["gone.png"], "file"), (["gone.png", "text.png"], "other 1 images")])
def test_where_none_can_be_read_there_is_an_error(files, names, words):
    with pytest.raises(ImageError, match=f"gone.png: there is no such file.*{words}"):
        embed_files(Model(), [files / name for name in names])
