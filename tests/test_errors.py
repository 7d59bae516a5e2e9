import inspect

import pytest

from siamese_tf import errors
from siamese_tf.errors import SiameseError

CLASSES = dict(inspect.getmembers(errors, inspect.isclass))


def test_the_error_classes():
    assert issubclass(SiameseError, ValueError)
    kinds = {"ConfigError", "DatasetError", "PairFileError", "ImageError", "ModelFileError", "GalleryError"}
    assert kinds < set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_caught_with_the_base_and_has_its_message(name):
    with pytest.raises(SiameseError) as caught:
        raise CLASSES[name]("X must be A; got B. Hint.")
    assert type(caught.value).__name__ == name
    assert str(caught.value) == "X must be A; got B. Hint."


def test_no_class_is_a_subclass_of_another():
    parts = [CLASSES[name] for name in CLASSES if name != "SiameseError"]
    assert not any(issubclass(one, other) for one in parts for other in parts if one is not other)
