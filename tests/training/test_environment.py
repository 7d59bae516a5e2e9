from importlib.metadata import version

from siamese_tf.training.environment import LABELS, environment, environment_changes


def test_an_environment_is_plain_values_and_the_same_at_every_call():
    now = environment()
    assert now == environment()
    assert list(now) == list(LABELS)
    assert now["processors"] >= 1
    assert now["tensorflow"] == version("tensorflow")
    assert all(isinstance(value, int | str) for value in now.values())


def test_differences_are_described():
    now = environment()
    other = {**now, "processors": 99, "keras": "1.0"}
    assert environment_changes(now, now) == environment_changes({}, now) == []
    assert environment_changes(other, now) == [
        f"number of processors was 99 and is now {now['processors']}",
        f"Keras version was 1.0 and is now {now['keras']}",
    ]


def test_a_key_of_another_version_is_passed_over():
    assert environment_changes({"something": 1}, environment()) == []
