import re

import pytest

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import HEADS, TOWERS, VIEWS
from siamese_tf.config.pretrained import PRETRAINED, WEIGHTS


@pytest.mark.parametrize("row", PRETRAINED.values(), ids=PRETRAINED)
def test_every_row_names_rows_of_the_catalog_and_a_function(row):
    assert row.tower in TOWERS
    assert row.head in HEADS
    assert row.views in VIEWS
    assert callable(load_builder(row.assign))
    assert re.fullmatch("[0-9a-f]{64}", row.sha256)


def test_the_names_of_the_weights_are_no_file_names():
    assert WEIGHTS == ("dlib-face", "imagenet")
    assert not any("." in name or "/" in name for name in WEIGHTS)
