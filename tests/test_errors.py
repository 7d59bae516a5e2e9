import inspect

import pytest

from siamese_tf import errors
from siamese_tf.errors import SiameseError

CLASSES = dict(inspect.getmembers(errors, inspect.isclass))


def test_they_are_what_callers_catch():
    assert issubclass(SiameseError, ValueError)
    kinds = {"ConfigError", "DatasetError", "PairFileError", "ImageError", "ModelFileError", "GalleryError"}
    assert kinds < set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_every_one_is_caught_with_the_base_and_keeps_its_message(name):
    with pytest.raises(SiameseError) as caught:
        raise CLASSES[name]("what came, what was expected, the cure")
    assert type(caught.value).__name__ == name
    assert str(caught.value) == "what came, what was expected, the cure"


def test_a_part_of_the_project_is_told_from_another():
    parts = [CLASSES[name] for name in CLASSES if name != "SiameseError"]
    assert not any(issubclass(one, other) for one in parts for other in parts if one is not other)
