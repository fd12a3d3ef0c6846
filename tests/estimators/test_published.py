"""Published figures: of data sets and models that exist here, with a source, and recalled ones say so."""

from __future__ import annotations

from graphvae.data.registry import dataset_names
from graphvae.estimators.benchmark_models import parse_dataset, parse_model
from graphvae.estimators.published import ELSEWHERE, PUBLISHED, published_rows


def test_every_published_row_has_a_data_set_a_model_and_plausible_figures():
    for (dataset, model), (auc, ap) in PUBLISHED.items():
        assert parse_dataset(dataset)[0] in dataset_names()
        assert callable(parse_model(model))
        assert 70 < auc < ap < 100


def test_rows_name_their_source_and_whether_they_are_recalled():
    rows = published_rows({"citeseer"})
    assert {row["dataset"] for row in rows} == {"citeseer"}
    assert {row["model"] for row in rows if not row["recalled"]} == {"vgae", "gae"}
    assert {row["model"] for row in rows if row["recalled"]} == {model for model, *_ in ELSEWHERE}
    assert all(row["source"][-6:-5] == "(" and 0.8 < row["auc"] < 1 for row in rows)
    assert published_rows({"karate"}) == []
