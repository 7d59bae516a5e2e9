"""A gallery belongs to the file of one model."""

from types import SimpleNamespace

import pytest

from siamese_tf.errors import GalleryError
from siamese_tf.inference.gallery_model import open_gallery_file


def model(sha256="ab" * 32, dim=8):
    return SimpleNamespace(file_sha256=sha256, embedding_dim=dim)


def test_the_gallery_of_the_model_is_opened_with_and_without_the_model(tmp_path):
    open_gallery_file(tmp_path / "g", model(), create=True).close()
    for given in (model(), None):
        with open_gallery_file(tmp_path / "g", given) as file:
            assert (file.model_sha256, file.embedding_dim) == ("ab" * 32, 8)


@pytest.mark.parametrize("other", [model("cd" * 32), model(dim=9)])
def test_another_model_is_refused(tmp_path, other):
    open_gallery_file(tmp_path / "g", model(), create=True).close()
    with pytest.raises(GalleryError, match=rf"must have the SHA-256 abab.*; got {other.file_sha256[:16]}"):
        open_gallery_file(tmp_path / "g", other)


def test_a_model_that_was_not_loaded_from_a_file_is_refused(tmp_path):
    with pytest.raises(GalleryError, match="must be loaded from a file"):
        open_gallery_file(tmp_path / "g", model(None), create=True)
    assert not (tmp_path / "g").exists()


def test_a_missing_gallery_is_created_only_on_request(tmp_path):
    for given in (model(), None):
        with pytest.raises(GalleryError, match="a path that does not exist"):
            open_gallery_file(tmp_path / "g", given)
    assert not (tmp_path / "g").exists()
