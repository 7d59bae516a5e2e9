from siamese_tf.evaluation.verification_table import verification_lines

REPORT = {
    "part": "test",
    "chosen": "the model's own",
    "pairs": 1800,
    "people": 1234,
    "threshold": 0.5,
    "accuracy": 0.95,
    "f1": 0.9,
    "fmr": 0.01,
    "fnmr": 0.1,
    "eer": 0.03,
    "auc": 0.99,
    "fnmr_at_fmr": {"0.1": 0.01, "0.01": 0.1, "0.001": None},
    "confusion": {"tp": 270, "fp": 15, "tn": 1485, "fn": 30},
    "ci95": {
        **{name: [0.125, 0.25] for name in ("accuracy", "f1", "fmr", "fnmr", "eer", "auc")},
        "fnmr_at_fmr": {"0.1": [0.0, 0.05], "0.01": [0.05, 0.2], "0.001": None},
    },
    "ci95_over": "people",
    "ci95_count": 1234,
    "ci95_pairs": 1500,
    "folds": None,
}
FOLDS = {
    "folds": [{}] * 10,
    **{name: {"mean": 0.25, "standard_error": 0.01} for name in ("accuracy", "eer", "fmr", "fnmr")},
    "people_in_several_folds": 0,
}


def test_lines_by_hand():
    assert verification_lines(REPORT) == [
        "test pairs: 300 same and 1,500 different, of 1,234 people",
        "threshold 0.5000: the model's own",
        "",
        "                                  95% interval over 1,234 people",
        "accuracy                  0.9500  0.1250-0.2500",
        "F1                        0.9000  0.1250-0.2500",
        "AUC                       0.9900  0.1250-0.2500",
        "EER (lower is better)     0.0300  0.1250-0.2500",
        "FMR (lower is better)     0.0100  0.1250-0.2500",
        "FNMR (lower is better)    0.1000  0.1250-0.2500",
        "FNMR at FMR 0.1           0.0100  0.0000-0.0500",
        "FNMR at FMR 0.01          0.1000  0.0500-0.2000",
        "FNMR at FMR 0.001        refused",
        "same called same                 270",
        "same called different             30",
        "different called different     1,485",
        "different called same             15",
        "",
        "FNMR at FMR 0.001: needs 3,000 different pairs, has 1,500.",
    ]


def test_without_refusals_nothing_follows():
    report = {**REPORT, "fnmr_at_fmr": {"0.1": 0.01}}
    assert verification_lines(report)[-1] == "different called same             15"


def test_folds_are_listed_with_their_standard_error():
    lines = verification_lines({**REPORT, "folds": FOLDS})
    assert lines[1] == "threshold 0.5000 (the mean): the model's own"
    assert lines[18:23] == [
        "10 folds, mean and standard error:",
        "accuracy                  0.2500 +- 0.0100",
        "EER (lower is better)     0.2500 +- 0.0100",
        "FMR (lower is better)     0.2500 +- 0.0100",
        "FNMR (lower is better)    0.2500 +- 0.0100",
    ]
    shared = verification_lines({**REPORT, "folds": {**FOLDS, "people_in_several_folds": 3}})
    assert [line for line in shared if line not in lines] == [
        "3 people are in more than one fold: the threshold is not chosen on strangers alone."
    ]


def test_too_few_people_have_no_intervals():
    lines = verification_lines({**REPORT, "ci95_count": 4, "ci95_pairs": 6})
    assert lines[4] == "accuracy                  0.9500  refused"
    assert "95% intervals: need 5 people, have 4." in lines
    assert not any("0.1250-0.2500" in line for line in lines)


def test_an_interval_that_the_pairs_of_people_cannot_support_is_refused():
    intervals = {**REPORT["ci95"], "fnmr_at_fmr": {"0.1": [0.0, 0.05], "0.01": None, "0.001": None}}
    lines = verification_lines({**REPORT, "ci95": intervals, "ci95_count": 6, "ci95_pairs": 15})
    assert "FNMR at FMR 0.01          0.1000  refused" in lines
    assert lines[-3:-1] == ["", "95% interval at FMR 0.01: needs 25 different pairs of people, has 15."]
