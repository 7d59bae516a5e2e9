"""Help and version of the command line.

Tests of the commands are in `tests/commands/`, those of user errors in `test_user_errors.py`.
"""

import pytest

from siamese_tf.version import __version__


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--help", ["train", "evaluate", "score", "pairs", "enroll", "verify", "identify", "gallery"]),
        (
            "train --help",
            ["enough to show --images-shown images", "the tower's", "runs/<dataset>/<objective>", "--resume", "CLASS"],
        ),
        ("evaluate --help", ["--pairs", "--dataset", "test_pairs.npz beside it", "$SIAMESE_TF_DATA", "--one-vs-rest"]),
        ("score --help", ["img1, img2[, similarity]", "standard output", "--json"]),
        ("pairs --help", ["generate", "check"]),
        ("enroll --help", ["--name", "--model", "SIAMESE_TF_MODEL", "Only embeddings are stored"]),
        (
            "verify --help",
            ["exit code 0 if same, 1 if different, 2 on errors", "SIAMESE_TF_MODEL", "--match", "--json"],
        ),
        ("identify --help", ["report that the person is unknown", "--top", "SIAMESE_TF_MODEL", "--match", "--json"]),
        ("gallery --help", ["list", "remove"]),
        ("pairs generate --help", ["70,000, or fewer", "30,000, or fewer", "50,000, or fewer", "--split"]),
        ("pairs check --help", ["exit code 1 where they leak"]),
    ],
)
def test_help_shows_commands_flags_and_defaults(run, line, words):
    done = run(line)
    assert (done.code, done.err) == (0, "")
    for word in words:
        assert word in done.out


@pytest.mark.parametrize(("line", "words"), [("", ["Usage: ", "evaluate"]), ("pairs", ["Usage: ", "generate"])])
def test_a_command_without_arguments_shows_the_help(run, line, words):
    done = run(line)
    for word in words:
        assert word in done.out + done.err


def test_version(run):
    done = run("--version")
    assert (done.code, done.out.strip(), done.err) == (0, __version__, "")
