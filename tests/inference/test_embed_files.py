"""Image files with an embedding are embedded, and the others have an error message."""

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.errors import ImageError
from siamese_tf.inference import embed_files as module
from siamese_tf.inference.embed_files import NOT_COMPARABLE, embed_files, embed_usable_files


class Model:
    """The mean of each channel, and how many images came at each call; a bright image has the embedding `bright`."""

    input_size, image_format, embedding_dim = (4, 4, 1), ImageFormat((4, 4), "grey"), 1

    def __init__(self, bright=255.0):
        self.calls, self.bright = [], bright

    def embed(self, images):
        self.calls.append(len(images))
        means = images.mean((1, 2)).astype(np.float32)
        return np.where(means == 255, np.float32(self.bright), means)


@pytest.fixture
def files(tmp_path):
    for number in (10, 20, 255):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "text.png").write_text("no image")
    return tmp_path


def test_what_can_be_read_is_embedded_at_once(files):
    model = Model()
    paths = [files / name for name in ("text.png", "20.png", "gone.png", "10.png")]
    embeddings, errors = embed_files(model, paths)
    np.testing.assert_array_equal(embeddings, [[0.0], [20.0], [0.0], [10.0]])
    assert embeddings.dtype == np.float32
    assert model.calls == [2]
    assert [error is None for error in errors] == [False, True, False, True]
    assert "an unknown format" in errors[0]
    assert "does not exist" in errors[2]
    usable, reasons = embed_usable_files(model, paths)
    np.testing.assert_array_equal(usable, [[20.0], [10.0]])
    assert reasons == errors


@pytest.mark.parametrize("nothing", [0.0, 1e-9, np.nan, np.inf])
def test_an_embedding_that_cannot_be_compared_is_the_error_of_its_file(files, nothing):
    paths = [files / name for name in ("gone.png", "20.png", "255.png", "10.png")]
    embeddings, errors = embed_files(Model(nothing), paths)
    np.testing.assert_array_equal(embeddings, [[0.0], [20.0], [0.0], [10.0]])
    assert errors[1:] == [None, f"{files / '255.png'}: {NOT_COMPARABLE}", None]
    np.testing.assert_array_equal(embed_usable_files(Model(nothing), paths)[0], [[20.0], [10.0]])
    with pytest.raises(ImageError, match="255.png: its embedding is 0 or not finite.*other 1 images"):
        embed_usable_files(Model(nothing), [files / "255.png", files / "gone.png"])


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_a_batch_at_a_time(files, monkeypatch, batch):
    monkeypatch.setattr(module, "EMBED_BATCH", batch)
    names, model = ["10.png", "text.png", "20.png", "255.png", "gone.png"], Model(np.nan)
    embeddings, errors = embed_files(model, iter(files / name for name in names))
    np.testing.assert_array_equal(embeddings, [[10.0], [0.0], [20.0], [0.0], [0.0]])
    assert [error is None for error in errors] == [True, False, True, False, False]
    assert max(model.calls) <= batch


def test_no_files_have_no_embeddings():
    embeddings, errors = embed_files(Model(), [])
    assert (embeddings.shape, errors) == ((0, 1), [])


@pytest.mark.parametrize(
    ("names", "words"), [(["gone.png"], "Check the path"), (["gone.png", "text.png"], "other 1 images")]
)
def test_where_none_can_be_read_there_is_an_error(files, names, words):
    with pytest.raises(ImageError, match=f"gone.png: must be an image file; got a path that does not exist.*{words}"):
        embed_usable_files(Model(), [files / name for name in names])
