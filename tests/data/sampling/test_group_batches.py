from itertools import islice

import numpy as np
import pytest

from siamese_tf.data.sampling.group_batches import group_batches
from siamese_tf.errors import ConfigError

# Three groups of 6, 4 and 2 classes; 5 images of each class, by authors 0 to 4.
GROUP_OF_CLASS = np.repeat([0, 1, 2], [6, 4, 2])
LABELS = np.repeat(np.arange(12), 5)
GROUPS = GROUP_OF_CLASS[LABELS]
AUTHORS = np.tile(np.arange(5), 12)


def draw(count, shape=(2, 4, 3), authors=AUTHORS, seed=0, labels=LABELS, groups=GROUPS):
    parts, classes, images = shape
    return [one.reshape(shape) for one in islice(group_batches(labels, groups, authors, *shape, seed), count)]


def test_classes_of_a_part_are_different_and_of_one_group_where_it_has_enough():
    for batch in draw(30):
        for part in batch:
            labels = LABELS[part]
            assert (labels == labels[:, :1]).all()
            assert len(set(labels[:, 0])) == 4
            in_order = GROUPS[part[:, 0]]
            assert len(set(in_order)) == 1 or 2 in in_order  # the group of two classes is filled up


def test_a_small_group_is_completed_with_the_next_one():
    parts = [part for batch in draw(30) for part in batch if 2 in GROUPS[part[:, 0]]]
    assert parts
    assert any(np.sum(GROUPS[part[:, 0]] == 2) == 2 for part in parts)


def test_images_of_a_class_are_different_and_by_the_same_authors_within_a_part():
    for batch in draw(20):
        for part in batch:
            assert all(len(set(row)) == 3 for row in part.tolist())
            assert all(set(AUTHORS[row]) == set(AUTHORS[part[0]]) for row in part)


def test_an_author_without_an_image_of_a_class_is_replaced():
    keep = ~((LABELS == 0) & (AUTHORS > 2))  # class 0 has three images
    batches = draw(40, (1, 6, 3), AUTHORS[keep], labels=LABELS[keep], groups=GROUPS[keep])
    rows = [row for batch in batches for row in batch[0] if LABELS[keep][row[0]] == 0]
    assert rows
    assert all(set(AUTHORS[keep][row]) == {0, 1, 2} for row in rows)


def test_without_authors_the_images_of_each_class_are_drawn_separately():
    assert any(
        len({tuple(sorted(AUTHORS[row])) for row in part}) > 1 for batch in draw(5, authors=None) for part in batch
    )


def test_images_repeat_only_where_a_class_has_fewer():
    for authors in (AUTHORS, None):
        for row in draw(1, (1, 2, 7), authors)[0][0]:
            assert sorted(np.bincount(row % 5)) == [1, 1, 1, 2, 2]


def test_every_group_is_drawn_before_any_is_drawn_again():
    order = [GROUPS[part[0, 0]] for batch in draw(12, (3, 2, 2)) for part in batch]
    assert all(set(order[start : start + 3]) == {0, 1, 2} for start in range(0, 36, 3))


def test_equal_seeds_give_equal_batches():
    first, again, other = (draw(3, seed=seed) for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 2, 2), "groups_per_batch must be at most 3, the number of groups; got 4. Lower it"),
        ((1, 13, 2), "classes_per_batch must be at most 12"),
        ((1, 1, 2), "at least 2 classes"),
    ],
)
def test_a_shape_that_cannot_be_drawn_is_refused(shape, message):
    with pytest.raises(ConfigError, match=message):
        group_batches(LABELS, GROUPS, None, *shape, 0)
