"""Nodes a model has not seen: read as its own were, and embedded."""

from __future__ import annotations

import numpy as np
import pytest

import graphvae as gv
from graphvae.cli import main
from graphvae.estimators.induction import embed_graph, read_alike


@pytest.fixture
def files(tmp_path):
    """A graph of ten people, and one of six others with another order of columns and a value nobody had."""
    rng = np.random.default_rng(0)
    old = [f"p{i}" for i in range(10)]
    rows = [f"p{i},p{(i + step) % 10},{1 + i % 3}" for i in range(10) for step in (1, 2)]
    (tmp_path / "edges.csv").write_text("\n".join(["from,to,w", *rows]) + "\n")
    people = [f"{n},{rng.normal():.3f},{'red' if i % 2 else 'blue'}" for i, n in enumerate(old)]
    (tmp_path / "people.csv").write_text("\n".join(["id,age,colour", *people]) + "\n")
    (tmp_path / "new.csv").write_text("w,to,from\n" + "".join(f"1,q{i},q{i + 1}\n" for i in range(5)))
    strangers = [f"{c},q{i},{i / 3:.3f}" for i, c in enumerate(["red", "blue", "green", "", "red", "red"])]
    (tmp_path / "strangers.csv").write_text("\n".join(["colour,who,age", *strangers]) + "\n")
    return tmp_path


def fit(files, **options):
    graph = gv.Graph.from_edges(
        files / "edges.csv", source="from", target="to", weight="w", features=files / "people.csv"
    )
    return gv.VGAE(epochs=3, **options).fit(graph)


def test_the_fitted_graph_read_again_is_embedded_the_same(files):
    model = fit(files)
    graph = read_alike(model.fitted, files / "edges.csv", files / "people.csv")
    assert graph.hash == model.fitted.graph().hash
    assert np.array_equal(embed_graph(model.fitted, graph).vectors, model.embed().vectors)


def test_new_nodes_get_what_transform_says_from_python_and_from_a_run(files, capsys):
    model = fit(files)
    run = model.save(files / "run")
    options = {"source": "from", "target": "to", "weight": "w", "features": files / "strangers.csv"}
    graph = gv.Graph.from_edges(files / "new.csv", encoding=run, feature_id="who", **options)
    assert graph.x.shape == (6, 3)
    expected = model.transform(graph)
    for each in (model, gv.load(run)):
        found = embed_graph(
            each.fitted, read_alike(each.fitted, files / "new.csv", files / "strangers.csv", feature_id="who")
        )
        assert found.ids.tolist() == [f"q{i}" for i in range(6)]
        assert np.array_equal(found.vectors, expected)
        assert found.scale is not None
    renamed = (files / "strangers.csv").read_text().replace("colour,who,age", "colour,id,age").splitlines()
    columns = [",".join(np.array(line.split(","))[[1, 0, 2]]) for line in renamed]
    (files / "strangers.csv").write_text("\n".join(columns) + "\n")
    to = files / "q.csv"
    arguments = ["embed", str(run), str(files / "new.csv"), "--features", str(files / "strangers.csv"), "--to", str(to)]
    assert main(arguments) == 0
    assert f"6 embeddings of dimension 16 written to {to}" in capsys.readouterr().err
    assert np.array_equal(gv.Embeddings.load(to).vectors, expected)
    assert main([*arguments, "--weight", "nothing"]) == 2
    assert "weight='nothing'" in capsys.readouterr().err


def test_what_cannot_be_done_is_said(files):
    model = fit(files)
    with pytest.raises(gv.InputError, match="was fitted with 3; expected a table"):
        read_alike(model.fitted, files / "new.csv", None)
    plain = gv.VGAE(epochs=1).fit(gv.Graph.from_edges(files / "edges.csv", source="from", target="to"))
    with pytest.raises(gv.InputError, match="without features and learned one row for each of its nodes"):
        read_alike(plain.fitted, files / "new.csv", files / "strangers.csv")
    array = gv.VGAE(epochs=1).fit(gv.load_graph("karate").replace(x=np.eye(34, 3, dtype=np.float32)))
    with pytest.raises(gv.InputError, match="came from no table"):
        read_alike(array.fitted, files / "new.csv", files / "strangers.csv")


def test_weights_change_where_nodes_are(files):
    heavy = fit(files)
    graph = heavy.fitted.graph()
    assert not np.allclose(heavy.transform(graph), heavy.transform(graph.replace(edge_weight=None)))
