import pytest

from siamese_tf.config.data_config import DataConfig
from siamese_tf.errors import ConfigError

TEXTS = "dataset data_dir pairs test_pairs images image_size color resize one_vs_rest".split()


@pytest.mark.parametrize("name", TEXTS)
def test_paths_and_names_are_text_because_they_are_saved_as_json(tmp_path, name):
    assert getattr(DataConfig(**{name: str(tmp_path)}), name) == str(tmp_path)
    with pytest.raises(ConfigError, match=rf"{name} must be text.*; got .*Path\(.*Use str\(path\)"):
        DataConfig(**{name: tmp_path})


def test_a_rest_needs_a_class():
    assert DataConfig(one_vs_rest="7", rest_is_a_class=True).rest_is_a_class
    with pytest.raises(ConfigError, match="rest_is_a_class .* needs one_vs_rest .*; name that class as well"):
        DataConfig(rest_is_a_class=True)


def test_gray_is_a_synonym_of_grey():
    assert DataConfig(color="gray") == DataConfig(color="grey")
    assert DataConfig(color="gray").to_dict()["color"] == "grey"
