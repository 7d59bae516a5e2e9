import re
from pathlib import Path

from siamese_tf.version import __version__

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"


def test_the_newest_entry_of_the_changelog_is_this_version():
    newest = re.search(r"^## (\S+)", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)

    assert newest is not None, "CHANGELOG.md has no heading `## VERSION`."
    assert newest.group(1) == __version__, (
        f"CHANGELOG.md starts with {newest.group(1)} and siamese_tf/version.py says {__version__}: "
        "a new version gets its entry on top."
    )
