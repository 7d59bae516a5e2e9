import numpy as np
import pytest

from siamese_tf.errors import ConfigError
from siamese_tf.models.towers.omniglot import omniglot, omniglot_parameters


def test_it_keeps_sixteen_positions_and_less_than_half_a_million_parameters():
    for side in (32, 64):
        tower = omniglot((side, side, 1), 1024)
        assert tower.get_layer("embedding_norm").output.shape[1:] == (4, 4, 64)
        assert tower.output_shape == (None, 1024)
        assert tower.count_params() == omniglot_parameters((side, side, 1), 1024) < 500_000


def test_a_large_image_is_averaged_to_half_its_size():
    names = [[layer.name for layer in omniglot((side, 48, 1), 5 * 6 * 9).layers] for side in (47, 48)]
    assert ["half" in one for one in names] == [False, True]


def test_an_embedding_has_equally_many_values_per_position():
    with pytest.raises(ConfigError, match="embedding_dim must be a multiple of 16, .* images of 64x64; got 40"):
        omniglot((64, 64, 1), 40)
    with pytest.raises(ConfigError, match="at least 16x16 pixels; got 15x30"):
        omniglot((15, 30, 1), 16)


def test_embeddings_are_float32_for_any_precision():
    from siamese_tf.models.towers.build import build_tower

    tower = build_tower("omniglot", (16, 16, 1), 16, "bfloat16")
    assert tower(np.zeros((2, 16, 16, 1), np.float32)).dtype.name == "float32"
