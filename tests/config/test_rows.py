from dataclasses import FrozenInstanceError

import pytest

from siamese_tf.config.rows import Objective, Tower, TowerDefaults


def test_a_tower_has_the_defaults_of_a_custom_one_unless_its_row_says_otherwise():
    tower = Tower(builder="towers:build", parameters="towers:count")
    assert {name: getattr(tower, name) for name in vars(TowerDefaults())} == vars(TowerDefaults())
    assert not tower.logs_parameters


def test_an_objective_trains_on_pairs_with_any_head_and_no_margin_unless_its_row_says_otherwise():
    row = Objective(loss="losses:loss", reads="logit", head="cosine")
    assert row.heads == ("cosine", "euclidean", "concat", "weighted_l1")
    assert (row.batches, row.margins, row.settings) == ("pairs", {}, ())
    assert (row.soft_margin, row.reports_embeddings, row.monitors_collapse, row.record) == (False, False, False, None)


def test_rows_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        TowerDefaults().embedding_dim = 3
