import json

import numpy as np

from siamese_tf.data.pairs.audit import Audit, PartAudit, audit_pairs
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, load_pair_file


def pair_file(values, rows, labels=None) -> PairDataset:
    """Image k is filled with values[k]; rows are (img1, img2, similarity, split)."""
    columns = np.array(rows).T
    return PairDataset(
        images=np.repeat(np.array(values, np.uint8), 4).reshape(-1, 2, 2, 1),
        labels=None if labels is None else np.array(labels),
        img1=columns[0].astype(np.int32),
        img2=columns[1].astype(np.int32),
        similarity=columns[2].astype(np.uint8),
        split=columns[3].astype(np.uint8),
    )


def test_a_clean_file_by_hand():
    rows = [(0, 1, 1, TRAIN), (1, 2, 0, TRAIN), (3, 4, 1, VALIDATION), (5, 4, 0, VALIDATION)]
    audit = audit_pairs([pair_file([10, 11, 12, 13, 14, 15], rows, labels=[0, 0, 1, 0, 0, 1])])
    assert audit == Audit(
        parts={
            "train": PartAudit(3, 2, 1, similar_per_class=(0, 1), dissimilar_per_class=(1, 1)),
            "validation": PartAudit(3, 2, 1, similar_per_class=(0, 1), dissimilar_per_class=(1, 1)),
        },
        overlap={"train-validation": 0},
        duplicate_pairs=0,
        self_pairs=0,
        contradictions=0,
        shared_between_files=0,
    )
    assert audit.leaks == 0
    assert audit.lines()[-1] == "no leaks"


def test_overlap_is_by_content_not_by_position():
    # Image 3 has the bytes of image 0; images 4 and 5 are not used by any pair.
    audit = audit_pairs([pair_file([1, 2, 3, 1, 2, 2], [(0, 1, 0, TRAIN), (2, 3, 0, TEST)])])
    assert audit.overlap == {"train-test": 1}
    assert audit.leaks == 1
    assert audit.lines()[-1] == "LEAKS: 1"


def test_overlap_between_each_two_parts():
    rows = [(0, 1, 0, TRAIN), (0, 2, 0, VALIDATION), (0, 3, 0, TEST), (2, 3, 0, TEST)]
    audit = audit_pairs([pair_file([1, 2, 3, 4], rows)])
    assert audit.overlap == {"train-validation": 1, "train-test": 1, "validation-test": 2}


def test_duplicates_in_either_order_within_and_across_parts():
    # 1-2 three times: again in the other order, and again as bytes in another part.
    rows = [(0, 1, 0, TRAIN), (1, 0, 0, TRAIN), (2, 3, 0, TEST), (0, 3, 0, TRAIN)]
    audit = audit_pairs([pair_file([1, 2, 1, 2], rows)])
    assert audit.duplicate_pairs == 3
    assert audit.contradictions == 0
    assert audit.leaks == 2 + 3  # both images stand in both parts


def test_self_pairs_by_position_and_by_content():
    audit = audit_pairs([pair_file([5, 6, 5], [(1, 1, 1, TRAIN), (0, 2, 1, TRAIN), (0, 1, 0, TRAIN)])])
    assert audit.self_pairs == 2
    assert audit.leaks == 2


def test_similarity_against_labels():
    audit = audit_pairs([pair_file([1, 2, 3], [(0, 1, 0, TRAIN), (0, 2, 0, TRAIN)], labels=[4, 4, 9])])
    assert audit.contradictions == 1
    assert audit.leaks == 0


def test_similarity_against_labels_in_a_file_from_anywhere(tmp_path):
    made = pair_file([1, 2, 3], [(0, 1, 0, TRAIN), (0, 2, 1, TRAIN), (1, 2, 0, TRAIN)], labels=[4, 4, 9])
    names = ("images", "labels", "img1", "img2", "similarity")
    np.savez(tmp_path / "theirs.npz", **{name: getattr(made, name) for name in names}, weights=np.zeros(3))
    audit = audit_pairs([load_pair_file(tmp_path / "theirs.npz")])
    assert (audit.contradictions, audit.leaks) == (2, 0)
    assert "similarity contradicted: 2" in audit.lines()


def test_one_pair_with_both_similarities_is_contradicted_without_labels():
    audit = audit_pairs([pair_file([1, 2], [(0, 1, 0, TRAIN), (1, 0, 1, TRAIN)])])
    assert (audit.duplicate_pairs, audit.contradictions) == (1, 1)


def test_several_files_are_one_data_set():
    train = pair_file([1, 2, 3], [(0, 1, 1, TRAIN), (1, 2, 0, TRAIN)], labels=[0, 0, 1])
    test = pair_file([9, 2, 8], [(0, 1, 1, TEST), (1, 2, 0, TEST)], labels=[0, 0, 1])
    audit = audit_pairs([train, test])
    assert list(audit.parts) == ["train", "test"]
    assert audit.overlap == {"train-test": 1}
    assert audit.shared_between_files == 1


def test_files_that_do_not_say_their_split_still_show_what_they_share():
    first = pair_file([1, 2, 3], [(0, 1, 0, TRAIN)])
    second = pair_file([2, 3], [(0, 1, 0, TRAIN)])
    audit = audit_pairs([first, second])
    assert (audit.shared_between_files, audit.leaks) == (1, 0)  # image 3 is used by one of them only
    assert "images in more than one file: 1" in audit.lines()


def test_images_of_another_shape_are_other_images():
    small = pair_file([0, 1], [(0, 1, 0, TRAIN)])
    large = PairDataset(
        np.zeros((2, 4, 1, 1), np.uint8), None, *(small.img1, small.img2, small.similarity), small.split + 2
    )
    assert audit_pairs([small, large]).overlap == {"train-test": 0}


def test_the_spread_over_classes_counts_absent_kinds_as_zero():
    rows = [(0, 1, 1, TRAIN), (0, 2, 1, TRAIN), (3, 0, 0, TRAIN), (4, 0, 0, TRAIN), (3, 1, 0, TRAIN)]
    part = audit_pairs([pair_file(range(5), rows, labels=[7, 7, 7, 8, 9])]).parts["train"]
    assert part.similar_per_class == (0, 2)
    assert part.dissimilar_per_class == (1, 3)


def test_without_labels_in_every_file_there_is_no_spread():
    labeled = pair_file([1, 2], [(0, 1, 1, TRAIN)], labels=[0, 0])
    unlabeled = pair_file([3, 4], [(0, 1, 1, TRAIN)])
    part = audit_pairs([labeled, unlabeled]).parts["train"]
    assert (part.similar_per_class, part.dissimilar_per_class) == (None, None)
    assert part.pairs == 2


def test_counts_agree_with_a_slow_twin():
    rng = np.random.default_rng(3)
    values = rng.integers(0, 40, 60)
    rows = np.column_stack([rng.integers(0, 60, (300, 2)), rng.integers(0, 2, 300), rng.integers(0, 3, 300)])
    audit = audit_pairs([pair_file(values, rows[:200]), pair_file(values, rows[200:])])
    pairs = [frozenset((values[i], values[j])) for i, j, _, _ in rows]
    used = [{v for (i, j, _, part) in rows if part == p for v in (values[i], values[j])} for p in range(3)]
    assert audit.duplicate_pairs == len(pairs) - len(set(pairs)) > 0
    assert audit.self_pairs == sum(len(pair) == 1 for pair in pairs) > 0
    assert audit.contradictions == len(set(zip(pairs, rows[:, 2], strict=True))) - len(set(pairs)) > 0
    assert audit.overlap["train-test"] == len(used[0] & used[2]) > 0
    assert [part.images for part in audit.parts.values()] == [len(images) for images in used]


def test_lines_are_a_table_for_people():
    rows = [(0, 1, 1, TRAIN), (1, 2, 0, TRAIN), (3, 4, 0, TEST)]
    lines = audit_pairs([pair_file(range(5), rows, labels=[0, 0, 1, 0, 1])]).lines()
    assert [" ".join(line.split()) for line in lines[:3]] == [
        "part images pairs similar similar per class dissimilar per class",
        "train 3 2 50.0% 0 to 1 1 to 1",
        "test 2 1 0.0% 0 to 0 1 to 1",
    ]
    assert lines[3] == "images in two splits: train and test 0"


def test_as_dict_is_plain_json():
    audit = audit_pairs([pair_file([1, 1], [(0, 1, 1, TRAIN)])])
    plain = json.loads(json.dumps(audit.as_dict()))
    assert plain["self_pairs"] == plain["leaks"] == 1
    assert plain["parts"]["train"]["pairs"] == 1
