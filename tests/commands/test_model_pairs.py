import numpy as np
import pytest
from PIL import Image

from siamese_tf.commands.model_pairs import load_model_pairs
from siamese_tf.config.data_config import DataConfig
from siamese_tf.models.siamese_model import SiameseModel


@pytest.mark.parametrize(("size", "channels"), [((12, 10, 1), 1), ((9, 9, 3), 3)])
def test_a_folder_is_prepared_in_the_image_format_of_the_model(tmp_path, monkeypatch, size, channels):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in [f"c{group}/{number}.png" for group in range(5) for number in range(5)]:
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / "images" / name)
    model = SiameseModel(size, "reference", 4)
    assert load_model_pairs(model, DataConfig(dataset="images")).train.images.shape[1:] == size
