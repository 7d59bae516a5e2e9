"""Import of the published ImageNet weights of EfficientNet-Lite0, a `state_dict` of PyTorch."""

import io
import re

from tensorflow import keras

from siamese_tf.models.pretrained.assign import assign_state_dict
from siamese_tf.models.pretrained.torch_file import read_torch

MAX_BYTES = 2**26
CLASSIFIER = ("_fc.weight", "_fc.bias")
PARTS = {  # part of a block -> its convolution and its batch normalization in the file
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}
ENDS = {"stem_conv": "_conv_stem", "stem_norm": "_bn0", "top_conv": "_conv_head", "top_norm": "_bn1"}


def import_efficientnet_lite0(tower: keras.Model, content: bytes) -> None:
    """Assigns the published weights to a tower `efficientnet_lite0`, except its last layer if it has one.

    Args:
        tower: the tower, for images of any size and embeddings of any size.
        content: bytes of the file.

    Raises:
        ModelFileError: if the file has other arrays than the tower.
    """
    features = keras.Model(tower.input, tower.get_layer("average").output)
    arrays = read_torch(io.BytesIO(content), MAX_BYTES)
    assign_state_dict(features, arrays, ignored=CLASSIFIER, torch_layer=torch_layer)


def torch_layer(name: str) -> str:
    """Converts the name of a layer with weights to that in the file, where blocks are counted from 0."""
    block = re.fullmatch(r"block(\d+)_(\w+)_(conv|norm)", name)
    if block is None:
        return ENDS.get(name, name)
    number, part, kind = block.groups()
    return f"_blocks.{int(number) - 1}.{PARTS[part][kind == 'norm']}"
