"""Hostile archives and configs are in `test_model_file.py` and `tests/attack_corpus.py`."""

import io
import json
import zipfile

import pytest

from siamese_tf.errors import ModelFileError
from siamese_tf.models.model_archive import CONFIG, IDENTITY, METADATA, WEIGHTS, read_config, read_members
from siamese_tf.models.siamese_model import SiameseModel

MEMBERS = {CONFIG: b"{}", METADATA: b"{}", WEIGHTS: b"weights"}
VALUES = {
    **{"input_size": [8, 8, 1], "tower": "reference", "embedding_dim": 4, "head": "cosine", "threshold": 0.5},
    **{"record": {}, "views": "one", "resize": "pad", "invert": False, "center": None},
}


def archive(**changes: bytes) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, content in {**MEMBERS, **changes}.items():
            opened.writestr(name, content)
    out.seek(0)
    return out


def test_three_members_are_read():
    assert read_members(archive()) == MEMBERS
    with pytest.raises(ModelFileError, match="must contain exactly .*; got"):
        read_members(archive(extra=b""))


def test_the_class_is_named_by_its_own_module():
    assert IDENTITY["module"] == SiameseModel.__module__
    assert IDENTITY["class_name"] == SiameseModel.__name__


@pytest.mark.parametrize("more", [{}, {"build_config": {"a": 1}}, {"compile_config": {"loss": "mse"}}])
def test_a_config_is_read(more):
    assert read_config(json.dumps({**IDENTITY, "config": VALUES, **more}).encode()) == VALUES


@pytest.mark.parametrize("missing", ["views", "resize", "invert", "center"])
def test_earlier_files_lack_some_entries(missing):
    values = {name: value for name, value in VALUES.items() if name != missing}
    assert read_config(json.dumps({**IDENTITY, "config": values}).encode()) == VALUES


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": 1e400}', "a number is too large"),
        ('{"a": 1, "a": 1}', "a duplicate key"),
        (f'{{"a": {"9" * 5000}}}', "is not JSON"),
        (
            json.dumps({**IDENTITY, "config": VALUES, "shared_object_id": 1}),
            r"must have only .*; got \['shared_object_id'\]",
        ),
        (json.dumps({**IDENTITY, "config": {**VALUES, "threshold": 2}}), "threshold in the config cannot be 2"),
    ],
)
def test_other_configs_are_refused(text, finding):
    with pytest.raises(ModelFileError, match=finding):
        read_config(text.encode())
