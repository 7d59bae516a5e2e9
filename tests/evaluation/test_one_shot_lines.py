from siamese_tf.evaluation.one_shot_lines import one_shot_lines

REPORT = {
    "ways": 2,
    "shots": 1,
    "episodes": 4000,
    "accuracy": 0.75,
    "chance": 0.5,
    "ci95": [0.0, 1.0],
    "ci95_count": 2,
    "ci95_over": "classes",
    "hardest": {"label": 7, "accuracy": 2 / 3, "queries": 3},
}


def test_the_lines_of_a_report():
    assert one_shot_lines(REPORT, []) == [
        "2-way 1-shot, 4,000 episodes",
        "accuracy                   0.7500  (chance 0.5000)",
        "95% interval over classes  requires 5  (2 classes)",
        "hardest class              0.6667  (7, 3 queries)",
    ]
    assert one_shot_lines(REPORT, list("abcdefgh"))[-1].endswith("(h, 3 queries)")
    against = {"against": {"difference": 1.0, "ci95": [-1.0, 1.0]}}
    assert one_shot_lines(REPORT | against, [])[-1] == "against the other model    +1.0000  (requires 5)"
    enough = REPORT | {"ci95": [0.7, 0.8], "ci95_count": 5, "against": {"difference": 0.1, "ci95": [-0.05, 0.25]}}
    assert one_shot_lines(enough, [])[2] == "95% interval over classes  0.7000 to 0.8000  (5 classes)"
    assert one_shot_lines(enough, [])[-1] == "against the other model    +0.1000  (-0.0500 to +0.2500)"


def test_groups_are_a_table():
    groups = [{"name": "Greek", "queries": 1, "accuracy": 0.0}, {"name": "Latin", "queries": 3999, "accuracy": 1.0}]
    assert one_shot_lines(REPORT | {"ci95_over": "groups", "groups": groups}, [])[2:] == [
        "95% interval over groups   requires 5  (2 groups)",
        "hardest class              0.6667  (7, 3 queries)",
        "accuracy by group, the hardest first",
        "  Greek                    0.0000  (1 queries)",
        "  Latin                    1.0000  (3,999 queries)",
    ]


def test_the_table_is_as_wide_as_the_longest_name():
    groups = [{"name": "x" * 30, "queries": 2, "accuracy": 0.0}, {"name": "y", "queries": 2, "accuracy": 1.0}]
    lines = one_shot_lines(REPORT | {"groups": groups}, [])[-2:]
    assert [line.index(".") for line in lines] == [34, 34]


def test_trials_are_counted_and_the_assignment_is_set_apart():
    runs = [{"name": "run01", "trials": 20, "correct": 19, "accuracy": 0.95}]
    assigned = {"correct": 396, "accuracy": 0.99, "comparable": False}
    trials = {name: value for name, value in REPORT.items() if name != "hardest"}
    trials |= {"episodes": 400, "correct": 394, "accuracy": 0.985, "ci95": [0.9676, 0.9931], "ci95_over": "trials"}
    assert one_shot_lines(trials | {"ci95_count": 400, "runs": runs, "one_to_one_assignment": assigned}, []) == [
        "2-way 1-shot, 400 episodes",
        "accuracy                   0.9850  (394 of 400, chance 0.5000)",
        "95% interval over trials   0.9676 to 0.9931  (400 trials)",
        "accuracy by run",
        "  run01                    0.9500  (19 of 20)",
        "with one-to-one assignment (not comparable)",
        "  accuracy                 0.9900  (396 of 400)",
    ]
