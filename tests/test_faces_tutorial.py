"""docs/faces.md: its commands run in their order, on small images drawn here."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.train

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = (ROOT / "docs/faces.md").read_text(encoding="utf-8")
PEOPLE = ("anna", "ben", "carla", "dan", "eva", "finn")


def commands() -> list[str]:
    return "\n".join(re.findall(r"```sh\n(.*?)```", TUTORIAL, re.DOTALL)).splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the pictures of the tutorial: everybody is a pattern of large squares, a little different each time."""
    folder, rng = tmp_path_factory.mktemp("tutorial"), np.random.default_rng(0)
    for name in PEOPLE:
        (folder / "people" / name).mkdir(parents=True)
        person = np.kron(rng.integers(40, 216, (7, 6)), np.ones((8, 8)))
        for number in range(1, 21 if name == "anna" else 9):
            pixels = person + rng.normal(0, 8, person.shape)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "people" / name / f"{number}.png")
    return folder


def test_the_commands_run_in_their_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., int], capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(folder)
    ran = [command for command in commands() if command]
    assert len(ran) >= 12
    for command in ran:
        program, *words = shlex.split(command)
        assert program == "siamese-tf", command
        assert call(words) == 0, f"{command}\n{''.join(capfd.readouterr())}"  # of `verify`: it is Anna
    for made in (
        "dataset/people/pairs.csv",
        "runs/people-folds/folds.json",
        "runs/people/verification",
        "team.gallery",
    ):
        assert (folder / made).exists(), made


def test_the_gallery_of_the_tutorial_is_left_with_one_person(folder: Path) -> None:
    from siamese_tf import Gallery

    with Gallery.open(folder / "team.gallery") as gallery:
        assert gallery.names() == {"Anna": 2}
