"""The command `faces align`, with the detector of the package."""

import os
from pathlib import Path

import pytest
from PIL import Image

FOLDER = Path(os.environ.get("SIAMESE_TF_DATA", "missing")) / "att-faces"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the AT&T faces in $SIAMESE_TF_DATA")
def test_faces_are_aligned_and_the_others_named(run, tmp_path):
    for person in ("s1", "s2"):
        (tmp_path / "photos" / person).mkdir(parents=True)
        (tmp_path / "photos" / person / "1.pgm").write_bytes((FOLDER / person / "1.pgm").read_bytes())
    Image.new("RGB", (100, 100), "gray").save(tmp_path / "photos" / "gray.png")
    done = run(f"faces align {tmp_path}/photos --out {tmp_path}/out")
    assert done.code == 0
    assert done.out.splitlines() == [
        "images: 3, aligned faces: 2",
        "not aligned: gray.png: no face",
        f"wrote {tmp_path}/out/faces.csv",
    ]
    assert sorted(path.parent.name for path in (tmp_path / "out").glob("*/1.png")) == ["s1", "s2"]


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        ("gone --out new", "a folder of images must be an existing folder; got 'gone'"),
        (". --out new --face best", "the face must be one of largest, all; got 'best'"),
    ],
)
def test_a_mistake_is_one_message_and_writes_nothing(run, tmp_path, monkeypatch, words, finding):
    monkeypatch.chdir(tmp_path)
    done = run(f"faces align {words}")
    assert (done.code, done.out) == (2, "")
    assert finding in done.err
    assert list(tmp_path.iterdir()) == []
