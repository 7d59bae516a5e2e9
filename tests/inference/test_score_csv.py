import csv
import io
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from fuzzing import damaged
from PIL import Image

from siamese_tf.data.images.decode import load_image
from siamese_tf.data.images.format import NATIVE_FORMAT
from siamese_tf.data.pairs.csv_list import write_csv_pairs
from siamese_tf.data.pairs.pair_file import TEST
from siamese_tf.data.pairs.pair_lists import csv_pairs
from siamese_tf.errors import PairFileError
from siamese_tf.inference import embed_files
from siamese_tf.inference import score_csv as module
from siamese_tf.inference.score_csv import CsvSummary, score_csv
from siamese_tf.models.inputs import EMBED_BATCH
from siamese_tf.models.siamese_model import SiameseModel

MANY = EMBED_BATCH + 100


@pytest.fixture(scope="module")
def model():
    """Untrained, with the threshold where about half of the drawn pairs are called the same."""
    built = SiameseModel((8, 8, 1), tower="reference", embedding_dim=8)
    kernel, bias = built.tower.layers[-1].get_weights()
    built.tower.layers[-1].set_weights([kernel, bias + np.float32(0.5)])  # no embedding is 0
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, 256, (100, 8, 8, 1), np.uint8)
    built.threshold = float(np.median(built.score(drawn[:50], drawn[50:])))
    return built


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with the images 0.png, 1.png, ..., and the same images as an array."""
    folder = tmp_path_factory.mktemp("drawn")
    images = np.random.default_rng(0).integers(0, 256, (MANY, 8, 8), np.uint8)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")
    return SimpleNamespace(folder=folder, images=images)


@pytest.fixture
def pairs_csv(drawn):
    """Writes a CSV file beside the drawn images; text is taken as UTF-8."""
    path = drawn.folder / "pairs.csv"

    def write(content: str | bytes):
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    yield write
    path.unlink(missing_ok=True)


def scored(model, path):
    """The rows that come out, and the summary."""
    out = io.StringIO()
    summary = score_csv(model, path, out)
    return list(csv.DictReader(io.StringIO(out.getvalue()), strict=True)), summary


def expected(model, drawn, one, two):
    return model.score(drawn.images[one], drawn.images[two])


# --- what comes out -------------------------------------------------------------------------------------------------


def test_one_row_a_pair_in_order_with_the_models_own_scores(model, drawn, pairs_csv):
    rows, summary = scored(model, pairs_csv("img1,img2\n3.png,4.png\n0.png,1.png\n1.png,0.png\n2.png,2.png\n"))
    assert [(row["img1"], row["img2"]) for row in rows] == [
        ("3.png", "4.png"),
        ("0.png", "1.png"),
        ("1.png", "0.png"),
        ("2.png", "2.png"),
    ]
    for row, (one, two) in zip(rows, [(3, 4), (0, 1), (1, 0), (2, 2)], strict=True):
        right = expected(model, drawn, one, two)
        assert float(row["probability"]) == pytest.approx(right, abs=2e-6)
        assert row["same"] == str(int(right >= model.threshold))
        assert row["error"] == ""
    assert rows[1]["probability"] == rows[2]["probability"]
    assert summary == CsvSummary(pairs=4, scored=4, unreadable={}, accuracy=None)
    assert summary.lines() == ["4 of 4 pairs scored"]


def test_same_is_said_from_the_threshold_on(model, pairs_csv, monkeypatch):
    scores = np.array([model.threshold - 1e-9, model.threshold, model.threshold + 1e-9])
    monkeypatch.setattr(module, "probability", lambda logits: scores)
    rows, _ = scored(model, pairs_csv("img1,img2\n0.png,1.png\n0.png,2.png\n0.png,3.png\n"))
    assert [row["same"] for row in rows] == ["0", "1", "1"]


def test_the_header_and_the_lines_are_plain_csv(model, pairs_csv):
    out = io.StringIO()
    score_csv(model, pairs_csv("img1,img2,similarity\n0.png,1.png,1\n"), out)
    header, row, end = out.getvalue().split("\n")
    assert header == "img1,img2,similarity,probability,same,error"
    assert row.startswith("0.png,1.png,1,0.")
    assert end == ""


def test_similarity_is_carried_through_and_gives_the_accuracy(model, drawn, pairs_csv):
    same = [int(expected(model, drawn, one, one + 1) >= model.threshold) for one in range(4)]
    given = [str(same[0]), str(same[1]), str(1 - same[2]), ""]  # right, right, wrong, unknown
    lines = [f"{one}.png,{one + 1}.png,{similarity}" for one, similarity in enumerate(given)]
    rows, summary = scored(model, pairs_csv("\n".join(["img1,img2,similarity", *lines])))
    assert [row["similarity"] for row in rows] == given
    assert summary.accuracy == pytest.approx(2 / 3)
    assert summary.lines() == ["4 of 4 pairs scored, accuracy 0.6667"]


def test_an_empty_similarity_column_gives_no_accuracy(model, pairs_csv):
    rows, summary = scored(model, pairs_csv("img1,img2,similarity\n0.png,1.png,\n0.png,2.png,\n"))
    assert [row["similarity"] for row in rows] == ["", ""]
    assert summary.accuracy is None


def test_images_of_another_size_are_brought_to_the_models_by_the_one_rule(model, drawn, pairs_csv):
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (20, 31, 3), np.uint8)).save(drawn.folder / "large.png")
    rows, _ = scored(model, pairs_csv("img1,img2\n0.png,large.png\n"))
    right = model.score(drawn.images[0], load_image(drawn.folder / "large.png", 8, 8, 1))
    assert float(rows[0]["probability"]) == pytest.approx(right, abs=2e-6)


def test_paths_are_relative_to_the_csv_and_absolute_ones_stay(model, drawn, pairs_csv, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(drawn.images[7]).save(tmp_path / "elsewhere.png")
    Image.fromarray(drawn.images[8]).save(tmp_path / "0.png")  # in the way, were paths relative to where we stand
    rows, _ = scored(model, pairs_csv(f"img1,img2\n0.png,{tmp_path / 'elsewhere.png'}\n"))
    assert float(rows[0]["probability"]) == pytest.approx(expected(model, drawn, 0, 7), abs=2e-6)


# --- every distinct image once --------------------------------------------------------------------------------------


def test_every_distinct_image_is_decoded_once_and_embedded_once(model, drawn, pairs_csv, monkeypatch):
    decoded, embedded = [], []
    embed = model.embed
    monkeypatch.setattr(
        embed_files, "load_image", lambda path, *size: decoded.append(path.name) or load_image(path, *size)
    )
    monkeypatch.setattr(model, "embed", lambda images: embedded.append(len(images)) or embed(images))
    pairs = [(one, two) for one in range(5) for two in range(5)]
    rows, _ = scored(model, pairs_csv("img1,img2\n" + "".join(f"{one}.png,{two}.png\n" for one, two in pairs)))
    assert len(rows) == 25
    assert sorted(decoded) == [f"{number}.png" for number in range(5)]
    assert embedded == [5]


def test_more_images_than_fit_in_one_batch(model, drawn, pairs_csv, monkeypatch):
    embedded = []
    embed = model.embed
    monkeypatch.setattr(model, "embed", lambda images: embedded.append(len(images)) or embed(images))
    lines = [f"{number}.png,{(7 * number + 1) % MANY}.png" for number in range(MANY)]
    rows, summary = scored(model, pairs_csv("\n".join(["img1,img2", *lines])))
    ones = np.arange(MANY)
    right = model.score_pairs(drawn.images[..., np.newaxis], ones, (7 * ones + 1) % MANY)
    np.testing.assert_allclose([float(row["probability"]) for row in rows], right, rtol=0, atol=2e-6)
    assert embedded[:2] == [EMBED_BATCH, MANY - EMBED_BATCH]  # the others are those of score_pairs
    assert summary.scored == MANY


@pytest.mark.parametrize("block", [1, 3, 4])
def test_more_pairs_than_fit_in_one_block(model, drawn, pairs_csv, monkeypatch, block):
    monkeypatch.setattr(module, "PAIR_BLOCK", block)
    rows, _ = scored(model, pairs_csv("img1,img2\n" + "".join(f"{one}.png,9.png\n" for one in range(8))))
    right = [expected(model, drawn, one, 9) for one in range(8)]
    np.testing.assert_allclose([float(row["probability"]) for row in rows], right, rtol=0, atol=2e-6)


# --- images that cannot be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, 2, 4], ids=["first", "middle", "last"])
def test_an_unreadable_image_is_reported_on_its_lines_and_shifts_nothing(model, drawn, pairs_csv, bad):
    (drawn.folder / "bad.png").write_text("no image")
    names = [f"{number}.png" for number in range(5)]
    names[bad] = "bad.png"
    pairs = [(one, two) for one in range(5) for two in range(one + 1, 5)]
    text = "img1,img2,similarity\n" + "".join(f"{names[one]},{names[two]},1\n" for one, two in pairs)
    rows, summary = scored(model, pairs_csv(text))
    assert len(rows) == len(pairs)
    for row, (one, two) in zip(rows, pairs, strict=True):
        assert (row["img1"], row["img2"], row["similarity"]) == (names[one], names[two], "1")
        if bad in (one, two):
            assert (row["probability"], row["same"]) == ("", "")
            assert "bad.png: must be one of PNG, JPEG" in row["error"]
        else:
            assert float(row["probability"]) == pytest.approx(expected(model, drawn, one, two), abs=2e-6)
            assert row["error"] == ""
    assert summary.scored == 6
    assert list(summary.unreadable) == ["bad.png"]
    assert summary.lines()[0].startswith("6 of 10 pairs scored, accuracy ")
    assert summary.lines()[1].startswith("unreadable: ")


@pytest.mark.parametrize("bad", [0, EMBED_BATCH - 1, EMBED_BATCH, MANY - 1])
def test_an_unreadable_image_at_the_edge_of_a_batch_shifts_nothing(model, drawn, pairs_csv, tmp_path, bad):
    names = [f"{number}.png" if number != bad else "missing.png" for number in range(MANY)]
    rows, summary = scored(model, pairs_csv("img1,img2\n" + "".join(f"{name},1.png\n" for name in names)))
    good = np.arange(MANY) != bad
    right = model.score_pairs(drawn.images[..., np.newaxis], np.arange(MANY), np.ones(MANY, int))
    found = [float(row["probability"] or "nan") for row in rows]
    np.testing.assert_allclose(np.array(found)[good], right[good], rtol=0, atol=2e-6)
    assert np.isnan(found[bad])
    assert "missing.png: must be an image file; got a path that does not exist" in rows[bad]["error"]
    assert (summary.pairs, summary.scored) == (MANY, MANY - 1)


def test_a_file_name_that_is_too_long_is_shortened(model, drawn, pairs_csv):
    name = "a" * 5000
    rows, summary = scored(model, pairs_csv(f"img1,img2\n./{name},1.png\n"))
    message = f"{drawn.folder}/{name[:200]}: must be an image file; got a path that does not exist. Check the path"
    assert (rows[0]["img1"], rows[0]["error"]) == (f"./{name}", message)
    assert summary.lines()[1] == f"unreadable: {message}"
    with pytest.raises(PairFileError, match=r"got 'a{199}\. Correct it"):
        scored(model, pairs_csv(f"img1,img2,similarity\n0.png,1.png,{name}\n"))


def test_without_readable_images_every_row_has_an_error(model, pairs_csv):
    rows, summary = scored(model, pairs_csv("img1,img2,similarity\nx.png,y.png,1\ny.png,z.png,0\n"))
    assert ["x.png" in rows[0]["error"], "y.png" in rows[1]["error"]] == [True, True]
    assert (summary.scored, summary.accuracy) == (0, None)
    assert len(summary.lines()) == 4


def test_a_row_with_too_few_fields_is_reported_on_its_line(model, drawn, pairs_csv):
    rows, summary = scored(model, pairs_csv("img1,img2\n0.png\n0.png,1.png\n,1.png\n"))
    for row in (rows[0], rows[2]):
        assert row["probability"] == ""
        assert "must not be empty" in row["error"]
    assert float(rows[1]["probability"]) == pytest.approx(expected(model, drawn, 0, 1), abs=2e-6)
    assert (summary.pairs, summary.scored) == (3, 1)
    assert summary.unreadable == {"": module.NO_PATH}


def test_a_line_that_only_lacks_later_fields_is_scored(model, drawn, pairs_csv):
    (row,), summary = scored(model, pairs_csv("img1,img2,similarity,who\n0.png,1.png\n"))
    assert (row["similarity"], row["who"], row["error"]) == ("", "", "")
    assert float(row["probability"]) == pytest.approx(expected(model, drawn, 0, 1), abs=2e-6)
    assert summary.accuracy is None


@pytest.mark.parametrize("bad", [0, 2, 4], ids=["first", "middle", "last"])
@pytest.mark.parametrize("block", [1, 2, 100])
def test_a_line_with_too_many_fields_is_reported_and_shifts_nothing(model, drawn, pairs_csv, monkeypatch, bad, block):
    monkeypatch.setattr(module, "PAIR_BLOCK", block)
    lines = [f"{one}.png,9.png,1" for one in range(5)]
    lines[bad] = "a,b.png,c,d.png,1"  # c stands where similarity is asked for
    rows, summary = scored(model, pairs_csv("\n".join(["img1,img2,similarity", *lines])))
    assert rows[bad] == {
        "img1": "a",
        "img2": "b.png",
        "similarity": "c",
        "probability": "",
        "same": "",
        "error": "the line has 5 fields and the header 3; put paths with commas in double quotes",
    }
    for one in set(range(5)) - {bad}:
        assert (rows[one]["img1"], rows[one]["error"]) == (f"{one}.png", "")
        assert float(rows[one]["probability"]) == pytest.approx(expected(model, drawn, one, 9), abs=2e-6)
    assert (summary.pairs, summary.scored, summary.unreadable) == (5, 4, {})


def test_when_every_line_has_too_many_fields_no_image_is_read(model, pairs_csv, monkeypatch):
    monkeypatch.setattr(embed_files, "load_image", lambda *_: pytest.fail("an image was read"))
    rows, summary = scored(model, pairs_csv("img1,img2\n0.png,1.png,2.png\n0.png,1.png,\n"))
    assert ["has 3 fields and the header 2" in row["error"] for row in rows] == [True, True]
    assert summary == CsvSummary(pairs=2, scored=0, unreadable={}, accuracy=None)


# --- the many forms of a CSV file -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"img1,img2\n0.png,1.png",  # no newline at the end
        b"img1,img2\r\n0.png,1.png\r\n",
        b"\xef\xbb\xbfimg1,img2\n0.png,1.png\n",  # byte order mark
        b"\xef\xbb\xbfimg1,img2\r\n0.png,1.png\r\n",  # as Excel writes it
        b"img1,img2\n\n0.png,1.png\n\n\n",
        b'"img1","img2"\n"0.png","1.png"\n',
    ],
)
def test_every_usual_form_is_read(model, drawn, pairs_csv, text):
    (row,), _ = scored(model, pairs_csv(text))
    assert list(row) == ["img1", "img2", "probability", "same", "error"]
    assert (row["img1"], row["img2"]) == ("0.png", "1.png")
    assert float(row["probability"]) == pytest.approx(expected(model, drawn, 0, 1), abs=2e-6)


def test_all_columns_are_copied_in_their_order(model, drawn, pairs_csv):
    text = 'id,img2,who,,img1,who,\n17,1.png,"me, too",x,0.png,you,y\n18,1.png,,,2.png,,\n'
    out = io.StringIO()
    score_csv(model, pairs_csv(text), out)
    header, *rows = csv.reader(io.StringIO(out.getvalue()), strict=True)
    assert header == ["id", "img2", "who", "", "img1", "who", "", "probability", "same", "error"]
    assert [row[:7] for row in rows] == [
        ["17", "1.png", "me, too", "x", "0.png", "you", "y"],
        ["18", "1.png", "", "", "2.png", "", ""],
    ]
    for row, one in zip(rows, (0, 2), strict=True):
        right = expected(model, drawn, one, 1)
        assert float(row[7]) == pytest.approx(right, abs=2e-6)
        assert row[8:] == [str(int(right >= model.threshold)), ""]


@pytest.mark.parametrize("name", ["a,b.png", 'say "a".png', "Müller – 像.png", " blank .png", "line\r\nbreak.png"])
def test_names_with_anything_in_them_come_out_as_they_went_in(model, drawn, pairs_csv, name):
    shutil.copy(drawn.folder / "3.png", drawn.folder / name)
    text = io.StringIO()
    csv.writer(text).writerows([("img1", "img2"), (name, "1.png"), ("0.png", name)])
    rows, _ = scored(model, pairs_csv(text.getvalue()))
    assert [(row["img1"], row["img2"]) for row in rows] == [(name, "1.png"), ("0.png", name)]
    assert float(rows[0]["probability"]) == pytest.approx(expected(model, drawn, 3, 1), abs=2e-6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["must name the columns img1,img2", "got ''"]),
        (b"a,b\n1,2\n", ["must name the columns img1,img2", "got 'a,b'", "Correct it"]),
        (b"img1\n0.png\n", ["must name the columns", "got 'img1'"]),
        (b"img1;img2\n0.png;1.png\n", ["separated by commas", "got 'img1;img2'"]),
        (b"img1, img2\n0.png,1.png\n", ["without spaces", "got 'img1, img2'"]),
        (b"0.png,1.png\n0.png,1.png\n", ["must name the columns", "got '0.png,1.png'"]),
        (b"img1,img2,img1\n0.png,1.png,2.png\n", ["each once", "got 'img1,img2,img1'", "Name img1 once"]),
        (
            b"img1,img2,same\n0.png,1.png,1\n",
            ["must not have the columns probability, same, error", "got same", "Rename same"],
        ),
        (b"probability,img1,img2\n1,0.png,1.png\n", ["got probability", "Rename probability"]),
        (b"img1,error,img2\n0.png,,1.png\n", ["got error", "Rename error"]),
        (b"img1,img2\n", ["at least one pair below its header", "Add lines"]),
        (b"img1,img2,similarity\n0.png,1.png,1\n0.png,1.png,2\n", ["line 3", "1 (same), 0 (different)", "got '2'"]),
        (b"img1,img2,similarity\n0.png,1.png,yes\n", ["line 2", "got 'yes'", "Correct it"]),
        ("img1,img2\nä.png,1.png\n".encode("latin-1"), ["must be UTF-8 text", "Save it as UTF-8"]),
        ("img1,img2\n0.png,1.png\n".encode("utf-16"), ["must be UTF-8 text", "Save it as UTF-8"]),
        (b'img1,img2\n"0.png,1.png\n', ["must be a CSV file", "unexpected end of data"]),
    ],
)
def test_what_is_no_list_of_pairs_is_refused_before_any_image_is_read(model, pairs_csv, monkeypatch, content, words):
    monkeypatch.setattr(embed_files, "load_image", lambda *_: pytest.fail("an image was read"))
    path = pairs_csv(content)
    out = io.StringIO()
    with pytest.raises(PairFileError) as caught:
        score_csv(model, path, out)
    for word in (str(path), *words):
        assert word in str(caught.value)
    assert out.getvalue() == ""


@pytest.mark.parametrize(("name", "words"), [("none.csv", "No such file"), (".", "Is a directory")])
def test_a_csv_that_cannot_be_opened_is_refused(model, tmp_path, name, words):
    with pytest.raises(PairFileError, match=rf"cannot read the pairs .*{words}.*Check the path"):
        score_csv(model, tmp_path / name, io.StringIO())


# --- one reader for training and for scoring -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "hint"),
    [
        ("img1,img2,similarity,img2", "Name img2 once"),
        ("img1,img2,similarity,split,similarity", "Name similarity once"),
        ("img1;img2;similarity", "not semicolons"),
        ("img1, img2, similarity", "without spaces"),
        ("IMG1,IMG2,similarity", "lower case"),
    ],
)
def test_training_and_scoring_refuse_the_same_first_lines_for_the_same_reason(model, pairs_csv, first, hint):
    path = pairs_csv(f"{first}\n0.png,1.png,1,train,0\n")
    with pytest.raises(PairFileError, match=hint):
        score_csv(model, path, io.StringIO())
    with pytest.raises(PairFileError, match=hint):
        csv_pairs(path, NATIVE_FORMAT)


@pytest.mark.parametrize(
    "text", ["\ufeffimg1,img2,similarity\r\n0.png,1.png,1\r\n\r\n", 'img1,img2,similarity\r"0.png",1.png,0']
)
def test_training_and_scoring_read_the_same_lists(model, pairs_csv, text):
    path = pairs_csv(text)
    (row,), _ = scored(model, path)
    pairs = csv_pairs(path, NATIVE_FORMAT)
    assert (row["img1"], row["img2"], int(row["similarity"])) == ("0.png", "1.png", pairs.similarity[0])


def test_a_list_that_we_wrote_is_read_by_both(model, drawn):
    path = drawn.folder / "written.csv"
    write_csv_pairs(path, drawn.folder, ["0.png", "1.png"], {TEST: (np.array([0]), np.array([1]), np.array([1]))})
    (row,), _ = scored(model, path)
    assert (row["img1"], row["split"], row["error"]) == ("./0.png", "test", "")
    assert csv_pairs(path, NATIVE_FORMAT).split.tolist() == [TEST]


def test_damaged_lists_raise_typed_errors_only(tmp_path):
    path = tmp_path / "pairs.csv"
    whole = 'img1,img2,similarity,note\na.png,"b, c.png",1,x\nä.png,a.png,,"1\n2"\nb,c,0,\n'.encode()
    refused = 0
    for content in damaged(whole, 150):
        path.write_bytes(content)
        try:
            module._read_rows(path)
        except PairFileError:
            refused += 1
    assert refused > 15


# --- the progress bar -----------------------------------------------------------------------------------------------


def test_track_goes_through_the_distinct_images_and_then_the_pairs(model, pairs_csv):
    tracked = {}

    def track(items, what):
        tracked[what] = list(items)
        return tracked[what]

    score_csv(model, pairs_csv("img1,img2\n0.png,1.png\n1.png,2.png\n"), io.StringIO(), track)
    assert tracked == {"images": ["0.png", "1.png", "2.png"], "pairs": [0]}


# --- a score from nothing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf])
def test_an_image_without_an_embedding_has_no_score_and_the_others_have_theirs(
    model, drawn, pairs_csv, monkeypatch, nothing
):
    embed = model.embed

    def embed_all_but_2(images):
        embeddings = embed(images)
        embeddings[[np.array_equal(image[..., 0], drawn.images[2]) for image in images]] = nothing
        return embeddings

    monkeypatch.setattr(model, "embed", embed_all_but_2)
    rows, summary = scored(model, pairs_csv("img1,img2,similarity\n0.png,1.png,\n0.png,2.png,1\n2.png,2.png,1\n"))
    assert (rows[0]["error"], rows[0]["probability"][:2]) == ("", "0.")
    for row in rows[1:]:
        assert (row["probability"], row["same"]) == ("", "")
        assert row["error"].startswith(f"{drawn.folder / '2.png'}: its embedding is 0 or not finite")
    assert (summary.scored, summary.accuracy, list(summary.unreadable)) == (1, None, ["2.png"])


def test_a_score_that_is_no_number_is_an_error_of_its_line(model, pairs_csv, monkeypatch):
    monkeypatch.setattr(module, "probability", lambda logits: np.array([np.nan, 0.5]))
    rows, summary = scored(model, pairs_csv("img1,img2\n0.png,1.png\n0.png,2.png\n"))
    assert (rows[0]["probability"], rows[0]["same"]) == ("", "")
    assert "score of this pair is not finite" in rows[0]["error"]
    assert (rows[1]["probability"], summary.scored) == ("0.500000", 1)
