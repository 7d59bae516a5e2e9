import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from siamese_tf.config.pretrained import PRETRAINED
from siamese_tf.models.pretrained.efficientnet_lite0 import import_efficientnet_lite0, torch_layer
from siamese_tf.models.pretrained.packages import pretrained_model, read_weights
from siamese_tf.models.pretrained.torch_file import read_torch
from siamese_tf.models.towers.efficientnet_lite0 import efficientnet_lite0

BELL_COTE, STUPA = 442, 832  # classes of ImageNet


@pytest.fixture(scope="module")
def content() -> bytes:
    return read_weights(PRETRAINED["photos"])


def test_the_published_classifier_recognizes_a_pagoda(content):
    """The last layer of the file, on the features of the tower."""
    features = pretrained_model("photos").embed([Image.fromarray(load_sample_images().images[0])])
    arrays = read_torch(io.BytesIO(content), 2**26)
    scores = features @ arrays["_fc.weight"].T + arrays["_fc.bias"]
    assert set(np.argsort(-scores[0])[:2]) == {BELL_COTE, STUPA}


def test_the_last_layer_of_another_size_stays_random(content):
    tower = efficientnet_lite0((64, 64, 3), 8)
    before = tower.get_layer("embedding").get_weights()[0]
    import_efficientnet_lite0(tower, content)
    np.testing.assert_array_equal(tower.get_layer("embedding").get_weights()[0], before)
    arrays = read_torch(io.BytesIO(content), 2**26)
    depthwise = np.asarray(tower.get_layer("block2_depthwise_conv").weights[0])
    np.testing.assert_array_equal(
        depthwise[:, :, :, 0], arrays["_blocks.1._depthwise_conv.weight"][:, 0].transpose(1, 2, 0)
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stem_conv", "_conv_stem"),
        ("top_norm", "_bn1"),
        ("block1_depthwise_conv", "_blocks.0._depthwise_conv"),
        ("block16_project_norm", "_blocks.15._bn2"),
        ("embedding", "embedding"),
    ],
)
def test_names_of_layers(name, expected):
    assert torch_layer(name) == expected
