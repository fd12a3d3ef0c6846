"""Classification of nodes by their embeddings, beside what needs no model."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import graphvae as gv
from graphvae.estimators.probing import probe, read_labels, spectral_vectors
from graphvae.evaluation.embedding_quality import embedding_quality

KARATE = gv.load_graph("karate")


@pytest.fixture(scope="module")
def model():
    return gv.VGAE(epochs=20, latent_dim=4).fit(KARATE)


def test_rows_are_the_quality_of_each_kind_of_vectors(model):
    x = np.random.default_rng(0).normal(size=(34, 3)).astype(np.float32)
    featured = gv.VGAE(epochs=2, latent_dim=4).fit(KARATE.replace(x=x))
    y = KARATE.y.numpy().astype(str)
    report = probe(featured.fitted, seed=3)
    expected = {
        "embeddings": featured.embed().vectors,
        "raw features": x,
        "spectral embedding": spectral_vectors(KARATE, 4),
    }
    assert report.rows == {name: embedding_quality(each, y, seed=3) for name, each in expected.items()}
    assert report.classes == 2
    assert report.notes == ()
    assert json.loads(json.dumps(report.to_dict()))["rows"]["raw features"]["count"] == 34
    lines = str(report).splitlines()
    assert lines[0].split("  ")[-1] == "ARI"
    assert [line.split("  ")[0] for line in lines[1:4]] == list(expected)
    assert "34 labelled nodes of 2 classes" in lines[4]


def test_a_graph_without_features_says_so(model):
    report = probe(model.fitted)
    assert list(report.rows) == ["embeddings", "spectral embedding"]
    assert report.notes == ("The graph has no features to compare with.",)


def test_the_spectral_embedding_has_the_leading_eigenvectors():
    z = spectral_vectors(KARATE, 4)
    degree = KARATE.degrees.double().numpy()
    root = np.diag(1 / np.sqrt(degree + degree.mean()))
    values, vectors = np.linalg.eigh(root @ KARATE.to_scipy().toarray() @ root)
    expected = (vectors * values)[:, -4:] @ vectors[:, -4:].T
    assert np.allclose(z @ z.T, expected, atol=1e-6)
    assert spectral_vectors(KARATE, 20).shape == (34, 20)
    assert embedding_quality(z, KARATE.y.numpy()).probe > 0.9


def test_unlabelled_nodes_and_small_classes_are_left_out(model):
    labels = np.array(["a", "b"] * 15 + ["c"] * 2 + [""] * 2)
    report = probe(model.fitted, labels)
    assert report.rows["embeddings"].count == 30
    assert report.classes == 2
    assert "Classes of fewer than 5 nodes are left out: c." in report.notes
    assert report.rows["embeddings"] == embedding_quality(model.embed().vectors[:30], labels[:30])


def test_a_run_whose_features_are_gone_is_judged_alone(tmp_path):
    graph = KARATE.replace(x=np.eye(34, 3, dtype=np.float32))
    loaded = gv.load(gv.VGAE(epochs=1).fit(graph).save(tmp_path / "run"))
    report = probe(loaded.fitted)
    assert list(report.rows) == ["embeddings"]
    assert "cannot be read again" in report.notes[0]


def test_labels_from_a_table(model, tmp_path):
    rows = "".join(f"{i},{'x' if i % 2 else ''},{i}\n" for i in range(33, -1, -1))
    (tmp_path / "l.csv").write_text("who,club,n\n" + rows + "99,x,1\n")
    found = read_labels(model.fitted, tmp_path / "l.csv", "club")
    assert found.tolist() == ["x" if i % 2 else "" for i in range(34)]
    frame = pd.DataFrame({"club": ["p", "q"], "id": [5, 0]})
    assert read_labels(model.fitted, frame, label_id="id")[[0, 5, 1]].tolist() == ["q", "p", ""]


@pytest.mark.parametrize(
    ("frame", "options", "hint"),
    [
        ({"id": [1, 2], "a": ["x", "y"], "b": [1, 2]}, {}, "label= missing: labels has the columns 'id', 'a', 'b'"),
        ({"id": [1, 1], "a": ["x", "y"]}, {}, "labels has two rows for the id 1"),
        ({"id": [77, 78], "a": ["x", "y"]}, {}, "has no id of the graph's 34 nodes, such as 0"),
        ({"id": [1, 2], "a": ["x", "y"]}, {"label": "c"}, "label='c': labels has the columns"),
        ({"id": [1, 2], "a": ["x", "y"]}, {"label_id": "c"}, "label_id='c': labels has the columns"),
    ],
)
def test_tables_that_label_nothing(model, frame, options, hint):
    with pytest.raises(gv.InputError, match=hint):
        read_labels(model.fitted, pd.DataFrame(frame), **options)


def test_a_graph_without_labels(tmp_path):
    model = gv.VGAE(epochs=1).fit(gv.load_graph("lesmis"))
    for each in (model, gv.load(model.save(tmp_path / "run"))):
        with pytest.raises(gv.InputError, match="the graph has none of its own"):
            probe(each.fitted)
