"""Exit code 0 for the same person, 1 for another, 2 for errors: scripts rely on it."""

import json
import os
import subprocess
import sys

import pytest

from siamese_tf.commands import verify as verify_module
from siamese_tf.commands.gallery import NO_DETECTION
from siamese_tf.inference.matching import corrected_threshold
from siamese_tf.models.model_file import load_model, save_model

MODEL = "--model run/siamese.keras"
PROGRAM = "from siamese_tf.cli import main; main()"


@pytest.fixture
def people(run, tmp_path):
    """A gallery in which anna has the pictures 0 and 1."""
    gallery = tmp_path / "people.gallery"
    assert run(f"enroll {gallery} {MODEL} --name anna 0.png 1.png").code == 0
    return gallery


@pytest.fixture
def always(run, tmp_path):
    """Words for verify with the model's threshold at one end: everybody is the same, or nobody."""

    def prepare(threshold: float) -> str:
        model = load_model("run/siamese.keras")
        model.threshold = threshold
        save_model(model, tmp_path / "end.keras")
        words = f"{tmp_path / str(threshold)} --model {tmp_path / 'end.keras'} --name anna"
        assert run(f"enroll {words} 0.png").code == 0
        return f"verify {words} 2.png"

    return prepare


def test_the_exit_code_is_the_verdict(run, always):
    for threshold, code, verdict in ((0.0, 0, "same"), (1.0, 1, "different")):
        line = always(threshold)
        done = run(line)
        assert done.code == code
        assert done.out.endswith(f"threshold {threshold:.6f}  verdict {verdict}\n")
        done = run(f"{line} --json")
        assert done.code == code
        assert json.loads(done.out)["same"] is (code == 0)


@pytest.mark.parametrize("match", ["mean", "best"])
def test_what_is_printed_is_the_score_of_the_pairs(run, trained, people, match):
    done = run(f"verify {people} {MODEL} --name anna 2.png --match {match} --json")
    found = json.loads(done.out)
    pairs = trained.model.score("2.png", ["0.png", "1.png"])
    if match == "best":
        assert found["probability"] == pytest.approx(max(pairs), abs=1e-5)
    assert min(pairs) - 1e-5 <= found["probability"] <= max(pairs) + 1e-5
    threshold = corrected_threshold(trained.model.threshold, 2 if match == "best" else 1)
    same = found["probability"] >= threshold
    assert found == {
        "name": "anna",
        "probability": found["probability"],
        "threshold": threshold,
        "same": same,
        "match": match,
        "presentation_attack_detection": False,
    }
    assert done.code == (0 if same else 1)
    words = run(f"verify {people} {MODEL} --name anna 2.png --match {match}")
    verdict = "same" if same else "different"
    assert words.out == f"probability {found['probability']:.6f}  threshold {threshold:.6f}  verdict {verdict}\n"
    for said in (done, words):
        assert said.err == f"{NO_DETECTION}\n"


def test_an_enrolled_picture_is_the_same(run, trained, tmp_path):
    assert run(f"enroll {tmp_path / 'g'} {MODEL} --name anna 0.png").code == 0
    assert run(f"verify {tmp_path / 'g'} {MODEL} --name anna 0.png").code == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--name anna gone.png", "gone.png: must be an image file; got a path that does not exist"),
        ("--name anna run/record.json", "an unknown format"),
        ("--name nobody 0.png", "nobody named 'nobody' is enrolled"),
        ("--name anna 0.png --match worst", "match must be one of mean, best"),
        ("--name anna 0.png --model gone.keras", "cannot read the model gone.keras"),
        ("--name anna 0.png 1.png", "unexpected extra argument"),
        ("0.png", "--name"),
    ],
)
def test_what_cannot_be_decided_is_2(run, people, line, words):
    done = run(f"verify {people} {MODEL} {line}")
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_gallery_that_is_none_or_another_models_is_2(run, always, people, tmp_path):
    always(0.0)
    done = run(f"verify {people} --model {tmp_path / 'end.keras'} --name anna 0.png")
    assert done.code == 2
    assert "embeddings of two models cannot be compared" in done.err
    done = run(f"verify {tmp_path / 'gone'} {MODEL} --name anna 0.png")
    assert (done.code, "a path that does not exist" in done.err) == (2, True)
    assert run(f"verify run/record.json {MODEL} --name anna 0.png").code == 2


def test_without_a_model_it_is_2_and_the_message_names_the_option(run, people, monkeypatch):
    done = run(f"verify {people} --name anna 0.png")
    assert done.code == 2
    assert "Name the model with --model MODEL, or set SIAMESE_TF_MODEL" in done.err
    monkeypatch.setenv("SIAMESE_TF_MODEL", "run/siamese.keras")
    assert run(f"verify {people} --name anna 0.png").code in (0, 1)


def test_a_path_that_the_system_refuses_is_one_line_and_2(run, tmp_path):
    done = run(f"verify {tmp_path / ('x' * 300)} {MODEL} --name anna 0.png")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_that_nobody_reads_is_2(people, stream):
    words = ["verify", people, *MODEL.split(), "--name", "anna", "2.png"]
    reader, writer = os.pipe()
    os.close(reader)
    ends = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | {stream: writer}
    done = subprocess.run([sys.executable, "-c", PROGRAM, *map(str, words)], text=True, **ends)
    os.close(writer)
    assert done.returncode == 2
    if stream == "stdout":
        assert done.stderr.splitlines()[-1].startswith("error: Broken pipe")
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, KeyboardInterrupt, SystemExit])
def test_no_fault_and_no_stop_is_taken_for_a_different_person(run, people, monkeypatch, error):
    def fail(*arguments):
        raise error("in the middle")

    monkeypatch.setattr(verify_module, "_verify", fail)
    done = run(f"verify {people} {MODEL} --name anna 0.png")
    assert (done.code, done.out) == (2, "")
    assert error.__name__ in done.err
