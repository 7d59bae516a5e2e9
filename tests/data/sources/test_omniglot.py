import os
from dataclasses import replace

import numpy as np
import pytest
from omniglot_zips import DRAWERS, small_omniglot, write_zip

from siamese_tf.data.images.format import NATIVE_FORMAT, ImageFormat
from siamese_tf.data.sources import omniglot_files
from siamese_tf.data.sources.load import load_source
from siamese_tf.data.sources.omniglot import load_omniglot, omniglot_contents
from siamese_tf.data.sources.omniglot_files import content_sha256
from siamese_tf.errors import DatasetError

INK = ImageFormat((16, 16), None, "pad", True, "strokes")


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    small_omniglot(tmp_path, monkeypatch)
    return tmp_path


def test_background_and_evaluation_stay_apart_and_alphabets_and_drawers_are_kept(data_dir):
    source = load_source("omniglot", data_dir)
    assert source.images.shape == (8 * DRAWERS, 105, 105, 1)
    assert source.group_names == ("Braille", "Latin", "Angelic")
    assert source.class_names == (
        *("Braille/character01", "Braille/character02", "Braille/character03"),
        *("Latin/character01", "Latin/character02", "Latin/character03"),
        *("Angelic/character01", "Angelic/character02"),
    )
    assert source.groups.tolist() == [0] * 9 + [1] * 9 + [2] * 6
    assert source.labels.tolist() == np.repeat(np.arange(8), 3).tolist()
    assert source.authors.tolist() == [0, 1, 2] * 8
    assert source.is_test.tolist() == [False] * 18 + [True] * 6
    assert "24 images, 105x105 grey, pad, of 8 characters of 3 alphabets" in source.note


def test_images_are_prepared_as_asked_for(data_dir):
    source = load_omniglot(data_dir, INK)
    assert source.image_format == ImageFormat((16, 16), "grey", "pad", True, "strokes")
    assert source.images.shape == (24, 16, 16, 1)
    assert (source.images[:, 0] == 0).all()  # a margin of 10%, black after inversion
    assert (source.images[:, 7, 7] > 200).all()
    native = load_omniglot(data_dir, NATIVE_FORMAT).images
    np.testing.assert_array_equal(load_omniglot(data_dir, ImageFormat(invert=True)).images, 255 - native)


def test_files_identify_contents_and_format_without_reading_them(data_dir):
    source = load_omniglot(data_dir, INK)
    assert source.files == omniglot_contents(source.image_format)
    assert source.files.keys() != load_omniglot(data_dir, NATIVE_FORMAT).files.keys()


def test_a_member_that_is_no_drawing_is_refused(data_dir, monkeypatch):
    members = {"images_evaluation/Angelic/notes.txt": b"text"}
    write_zip(data_dir / "omniglot" / "images_evaluation.zip", members)
    pins = omniglot_files.FILES
    pinned = replace(pins["images_evaluation"], content_sha256=content_sha256(members))
    monkeypatch.setattr(omniglot_files, "FILES", {**pins, "images_evaluation": pinned})
    with pytest.raises(DatasetError, match="'images_evaluation/Angelic/notes.txt' must be ALPHABET/CHARACTER/NUMBER_"):
        load_omniglot(data_dir, NATIVE_FORMAT)


@pytest.mark.slow
@pytest.mark.skipif("SIAMESE_TF_DATA" not in os.environ, reason="needs the published files")
def test_the_published_files_have_all_characters():
    source = load_source("omniglot", image_format=ImageFormat((32, 32), None, "pad", True, "strokes"))
    assert source.images.shape == (32_460, 32, 32, 1)
    assert (len(source.class_names), len(source.group_names)) == (1_623, 50)
    assert (np.bincount(source.labels) == 20).all()
    assert (np.bincount(source.authors) == 1_623).all()
    assert len(np.unique(source.groups[~source.is_test])) == 30
    assert source.is_test.sum() == 13_180
