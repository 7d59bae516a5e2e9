import io
from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.data.pairs.generate import generate_pair_files
from siamese_tf.data.pairs.pair_file import TEST, load_pair_file, save_pair_file
from siamese_tf.errors import DatasetError, PairFileError
from siamese_tf.inference.embed_test_images import embed_test_images
from siamese_tf.models.siamese_model import SiameseModel

MODEL = SiameseModel((8, 8, 1), tower="reference", embedding_dim=4)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("pairs")
    return generate_pair_files("digits", out=out, train_pairs=60, validation_pairs=20, test_pairs=20)


def test_the_images_of_the_test_pairs_are_embedded(made):
    stream = io.StringIO()
    test = embed_test_images(MODEL, "", pairs=str(made.train_path), stream=stream)
    pairs = load_pair_file(made.test_path)
    positions = pairs.images_of(TEST)
    np.testing.assert_array_equal(test.images, pairs.images[positions])
    np.testing.assert_array_equal(test.labels, pairs.labels[positions])
    np.testing.assert_array_equal(test.embeddings, MODEL.embed(pairs.images[positions]))
    assert (test.dataset, test.class_names, test.focus) == ("digits", list("0123456789"), None)
    assert "using the pairs of" in stream.getvalue()
    assert embed_test_images(MODEL, "", pairs=str(made.train_path), one_vs_rest="7", stream=stream).focus == 7


def test_a_sample_is_drawn_by_the_seed(made):
    test = embed_test_images(MODEL, "", pairs=str(made.train_path))
    one, again, other = (test.sample(5, seed) for seed in (0, 0, 1))
    assert len(one.images) == len(one.embeddings) == len(one.labels) == 5
    np.testing.assert_array_equal(one.embeddings, MODEL.embed(one.images))
    np.testing.assert_array_equal(one.images, again.images)
    assert not np.array_equal(one.images, other.images)
    assert len(test.sample(10_000, 0).images) == len(test.images)


def test_groups_are_those_of_the_images_and_are_sampled_with_them(made, tmp_path):
    pairs = load_pair_file(made.test_path)
    manifest = pairs.manifest | {"group_names": ["even", "odd\x1b"]}
    save_pair_file(tmp_path / "test_pairs.npz", replace(pairs, groups=pairs.labels % 2, manifest=manifest))
    test = embed_test_images(MODEL, "", pairs=str(made.train_path), test_pairs=str(tmp_path / "test_pairs.npz"))
    np.testing.assert_array_equal(test.groups, test.labels % 2)
    assert test.group_names == ["even", "odd\\x1b"]
    drawn = test.sample(7, 0)
    np.testing.assert_array_equal(drawn.groups, drawn.labels % 2)
    without = embed_test_images(MODEL, "", pairs=str(made.train_path))
    assert (without.groups, without.group_names) == (None, [])


def test_pairs_without_test_pairs_or_without_images_of_the_class_are_refused(made, tmp_path):
    save_pair_file(tmp_path / "alone.npz", load_pair_file(made.train_path))
    with pytest.raises(PairFileError, match="digits must have test pairs; got none. Name a file with --test-pairs"):
        embed_test_images(MODEL, "", pairs=str(tmp_path / "alone.npz"))
    pairs = load_pair_file(made.test_path)
    without = pairs.labels[pairs.img1] != 7
    without &= pairs.labels[pairs.img2] != 7
    fewer = replace(
        pairs,
        **{name: getattr(pairs, name)[without] for name in ("img1", "img2", "similarity", "split")},
        manifest={"class_names": list("0123456789")},
    )
    save_pair_file(tmp_path / "train_pairs.npz", load_pair_file(made.train_path))
    save_pair_file(tmp_path / "test_pairs.npz", fewer)
    with pytest.raises(DatasetError, match="no test image is of class 7"):
        embed_test_images(MODEL, "", pairs=str(tmp_path / "train_pairs.npz"), one_vs_rest="7")
