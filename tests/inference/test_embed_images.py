import json
from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.data.pairs.npz import write_npz
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import DatasetError, ImageError
from siamese_tf.inference.embed_images import embed_images, embed_source
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.version import __version__


@pytest.fixture(scope="module")
def model():
    return SiameseModel((8, 8, 1), "reference", 6, record={"objective": "bce", "dataset": "mnist"})


@pytest.fixture(scope="module")
def source():
    rng = np.random.default_rng(0)
    return Source(
        name="shapes",
        images=rng.integers(0, 256, (9, 8, 8, 1), np.uint8),
        labels=np.arange(9) % 3,
        is_test=np.arange(9) > 6,
        class_names=("round", "Größe", ""),
        origin="a folder",
        files={"train-images": "ab12"},
        note="using shapes from a folder",
    )


def test_every_image_is_embedded_as_the_tower_gives_it(model, source):
    arrays = embed_source(model, source)
    assert " ".join(arrays) == "embeddings labels is_test class_names manifest"
    np.testing.assert_array_equal(arrays["embeddings"], model.embed(source.images))
    assert arrays["embeddings"].dtype == np.float32
    np.testing.assert_array_equal(arrays["labels"], source.labels)
    np.testing.assert_array_equal(arrays["is_test"], source.is_test)
    assert arrays["class_names"].tolist() == list(source.class_names)


def test_the_manifest_records_the_data_set_and_the_model(model, source):
    expected = {
        "version": __version__,
        "dataset": "shapes",
        "files": {"train-images": "ab12"},
        "model": {"objective": "bce", "dataset": "mnist"},
    }
    assert json.loads(str(embed_source(model, source)["manifest"])) == expected
    unknown = json.loads(str(embed_source(SiameseModel((8, 8, 1), "reference", 6), source)["manifest"]))
    assert unknown["model"] == {"objective": None, "dataset": None}


def test_the_file_is_read_without_pickle(model, source, tmp_path):
    arrays = embed_source(model, source)
    write_npz(tmp_path / "e.npz", arrays)
    with np.load(tmp_path / "e.npz", allow_pickle=False) as stored:
        assert set(stored) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(stored[name], array)
            assert stored[name].dtype == array.dtype


def test_images_of_another_size_are_refused(model, source):
    wide = replace(source, images=np.zeros((9, 8, 10, 1), np.uint8))
    for embed in (lambda: embed_source(model, wide), lambda: embed_images(model, wide.images, wide.name)):
        with pytest.raises(DatasetError, match=r"of shapes must be \(8, 8, 1\).*got \(8, 10, 1\)"):
            embed()


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_a_model_without_embeddings_is_refused_and_a_few_zeros_are_not(model, source, monkeypatch, nothing):
    embeddings = np.full((9, 6), nothing, np.float32)
    monkeypatch.setattr(model, "embed", lambda images: embeddings)
    with pytest.raises(ImageError, match="not all zero; got 9 invalid ones for the 9 images of shapes"):
        embed_source(model, source)
    embeddings[1:] = 1
    embeddings[0] = 0
    np.testing.assert_array_equal(embed_images(model, source.images, "shapes"), embeddings)
