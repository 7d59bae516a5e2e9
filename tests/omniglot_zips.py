"""Small zip files with the layout of Omniglot, whose checksums replace those of the published ones."""

import io
import zipfile
from dataclasses import replace

import numpy as np
from PIL import Image

from siamese_tf.data.sources import omniglot_files
from siamese_tf.data.sources.omniglot_files import FILES, NAME, content_sha256

ALPHABETS = {"images_background": {"Braille": 3, "Latin": 3}, "images_evaluation": {"Angelic": 2}}
DRAWERS = 3


def png(alphabet, character, drawer):
    """Black squares on white, 105 x 105: a pattern of the character, one square of it moved by the drawer."""
    pattern = np.random.default_rng([*alphabet.encode(), character]).random((7, 7)) < 0.3
    pattern[[0, 3, 6], [0, 3, 6]] = True
    pattern[drawer % 7, 1] ^= True
    ink = np.kron(pattern, np.ones((10, 10), bool))
    out = io.BytesIO()
    Image.fromarray(~np.pad(ink, [(5 * drawer, 35 - 5 * drawer), (20, 15)])).save(out, "PNG")
    return out.getvalue()


def members_of(name):
    return {
        f"{name}/{alphabet}/character{character:02}/{character:04}_{drawer:02}.png": png(alphabet, character, drawer)
        for alphabet, characters in ALPHABETS[name].items()
        for character in range(1, characters + 1)
        for drawer in range(1, DRAWERS + 1)
    }


def write_zip(path, members, folders=()):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for folder in folders:
            archive.writestr(f"{folder}/", b"")
        for member, content in members.items():
            archive.writestr(member, content)


def small_omniglot(data_dir, monkeypatch):
    """Writes both zip files into a data folder, and pins them."""
    pins = dict(FILES)
    for name in ALPHABETS:
        write_zip(data_dir / NAME / f"{name}.zip", members_of(name), [name])
        pins[name] = replace(FILES[name], content_sha256=content_sha256(members_of(name)))
    monkeypatch.setattr(omniglot_files, "FILES", pins)
    monkeypatch.setattr("siamese_tf.data.sources.omniglot.FILES", pins)
