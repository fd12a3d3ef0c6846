"""networkx, scipy and PyG: what comes in, what goes out, and that nothing is lost on the way round."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data, HeteroData

from graphvae._check import InputError
from graphvae.data.graph import Graph


@st.composite
def graphs(draw, sparse=True, zero_weights=True):
    """Graphs of every kind: directed or not, weighted or not, with ids, labels and features or without."""
    n = draw(st.integers(1, 7))
    directed = draw(st.booleans())
    every = [(u, v) for u in range(n) for v in range(n) if (u != v if directed else u < v)]
    pairs = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    # One exact in float32 and one that is not: the type has to survive.
    values = st.sampled_from([0.0, 0.1, 1.0, -2.5] if zero_weights else [0.1, 1.0, -2.5])
    weight = draw(st.lists(values, min_size=len(pairs), max_size=len(pairs))) if pairs and draw(st.booleans()) else None
    index = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    if not directed:
        index = np.concatenate([index, index[::-1]], axis=1)
        weight = None if weight is None else weight + weight
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    x = None
    if draw(st.booleans()):
        x = torch.arange(2 * n, dtype=dtype).reshape(n, 2) / 3
        x = x.to_sparse_coo() if sparse and draw(st.booleans()) else x
    ids = draw(st.sampled_from([None, [7 * i - 3 for i in range(n)][::-1], [f" {i:03}é" for i in range(n)][::-1]]))
    return Graph(
        index,
        x=x,
        y=draw(st.sampled_from([None, list(range(-1, n - 1))])),
        num_nodes=n,
        edge_weight=None if weight is None else torch.tensor(weight, dtype=dtype),
        directed=directed,
        node_ids=ids,
    )


@settings(max_examples=80, deadline=None)
@given(graphs())
def test_pyg_round_trip(graph):
    assert Graph.from_pyg(graph.to_pyg(), directed=graph.directed).hash == graph.hash


@settings(max_examples=80, deadline=None)
@given(graphs(sparse=False))
def test_networkx_round_trip(graph):
    options = {"features": None if graph.x is None else "x", "label": None if graph.y is None else "y"}
    options |= {"weight": None if graph.edge_weight is None else "weight"}
    assert Graph.from_networkx(graph.to_networkx(), **options).hash == graph.hash


@settings(max_examples=80, deadline=None)
@given(graphs(zero_weights=False))
def test_scipy_round_trip(graph):
    fields = {"x": graph.x, "y": graph.y, "node_ids": graph.node_ids, "directed": graph.directed}
    weighted = graph.edge_weight is not None
    assert Graph.from_scipy(graph.to_scipy(), weighted=weighted, **fields).hash == graph.hash


@settings(max_examples=40, deadline=None)
@given(graphs(zero_weights=False))
def test_all_three_agree_on_the_matrix(graph):
    dense = graph.to_scipy().toarray()
    assert np.array_equal(networkx.to_numpy_array(graph.to_networkx(), nodelist=graph.node_ids.tolist()), dense)
    data = graph.to_pyg()
    weight = torch.ones(data.edge_index.shape[1]) if data.edge_weight is None else data.edge_weight
    pyg = torch.zeros(dense.shape, dtype=weight.dtype).index_put(tuple(data.edge_index), weight)
    assert np.array_equal(pyg.numpy(), dense)


# networkx


def test_networkx_keeps_the_order_of_the_nodes():
    source = networkx.Graph([("z", "a"), ("a", "m")])
    source.add_node("b")
    graph = Graph.from_networkx(source)
    assert graph.node_ids.tolist() == ["z", "a", "m", "b"]
    assert graph.pairs.tolist() == [[0, 1], [1, 2]]
    assert not graph.directed
    assert graph.edge_weight is None


def test_networkx_digraphs_are_directed():
    graph = Graph.from_networkx(networkx.DiGraph([(5, 3), (3, 5), (3, 4)]))
    assert graph.directed
    assert graph.node_ids.tolist() == [5, 3, 4]
    assert graph.edge_index.tolist() == [[0, 1, 1], [1, 0, 2]]


def test_networkx_attributes():
    source = networkx.Graph()
    source.add_node("a", age=3, place=[1.0, 2.0], group=0)
    source.add_node("b", age=4, place=[3.0, 4.0], group=2)
    source.add_edge("a", "b", strength=0.5)
    graph = Graph.from_networkx(source, weight="strength", features=["place", "age"], label="group")
    assert graph.x.tolist() == [[1, 2, 3], [3, 4, 4]]
    assert graph.x.dtype == graph.edge_weight.dtype == torch.float32
    assert graph.y.tolist() == [0, 2]
    assert graph.edge_weight.tolist() == [0.5, 0.5]
    assert Graph.from_networkx(source, features="age").x.tolist() == [[3], [4]]


def _with(nodes=(), edges=()):
    graph = networkx.Graph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    return graph


@pytest.mark.parametrize(
    ("source", "options", "named"),
    [
        ([[0, 1]], {}, "graph is of type list: expected a networkx Graph"),
        (networkx.MultiGraph([(0, 1)]), {}, r"graph is a MultiGraph: .*networkx.Graph\(graph\)"),
        (networkx.MultiDiGraph([(0, 1)]), {}, r"graph is a MultiDiGraph: .*networkx.DiGraph\(graph\)"),
        (networkx.Graph([(0, 0)]), {}, r"self-loop \(0, 0\).*selfloop_edges"),
        (networkx.Graph([(0, "a")]), {}, "graph has nodes of type int, str: expected all int or all str"),
        (networkx.Graph([((0, 1), (1, 1))]), {}, "graph has nodes of type tuple"),
        (networkx.Graph([(True, 2)]), {}, "graph has nodes of type bool, int"),
        (networkx.Graph([(1.0, 2.0)]), {}, "graph has nodes of type float"),
        (networkx.Graph([(2**70, 1)]), {}, "graph has nodes beyond 64 bits"),
        (networkx.Graph([(0, 1)]), {"weight": "w"}, r"weight='w': edge \(0, 1\) lacks it"),
        (_with(edges=[(0, 1, {"w": "x"})]), {"weight": "w"}, "weight='w': a value is 'x'; expected numbers"),
        (_with(edges=[(0, 1, {"w": [1, 2]})]), {"weight": "w"}, r"weight='w': values have shape \(2,\)"),
        (_with([(0, {"a": 1}), (1, {"b": 1})]), {"features": "a"}, r"features='a': node 1 lacks it.*\(it has 'b'\)"),
        (_with([(0, {"a": "x"})]), {"features": ["a"]}, "features='a': a value is 'x'"),
        (_with([(0, {"a": 1}), (1, {"a": None})]), {"features": "a"}, "features='a': a value is None"),
        (_with([(0, {"a": [1]}), (1, {"a": [1, 2]})]), {"features": "a"}, "features='a': .*different lengths"),
        (_with([(0, {"a": [[1]]})]), {"features": "a"}, r"features='a': values have shape \(1, 1\)"),
        (_with([(0, {"a": float("nan")})]), {"features": "a"}, "x contains NaN"),
        (_with([(0, {"y": 1.5})]), {"label": "y"}, "y is of type .*expected integers"),
        (_with([(0, {"y": "Officer"})]), {"label": "y"}, "label='y': a value is 'Officer'"),
        (_with([(0, {"y": [0, 1]})]), {"label": "y"}, "label='y': values have shape"),
    ],
)
def test_refused_networkx_graphs(source, options, named):
    with pytest.raises(InputError, match=named):
        Graph.from_networkx(source, **options)


def test_networkx_sparse_features_go_out_dense():
    graph = Graph([[0, 1], [1, 0]], x=scipy.sparse.eye_array(2))
    assert graph.to_networkx().nodes[1]["x"].tolist() == [0, 1]


def test_what_goes_out_has_no_hold_on_the_graph():
    graph = Graph([[0, 1], [1, 0]], x=torch.ones(2, 1), y=[0, 1], edge_weight=[2.0, 2.0])
    before = graph.hash
    data = graph.to_pyg()
    for name in ("x", "y", "edge_index", "edge_weight", "node_ids"):
        data[name].fill_(7)
    graph.to_networkx().nodes[0]["x"][:] = 7
    graph.to_scipy().data[:] = 7
    assert graph.replace().hash == before


# scipy

DENSE = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "lil", "dok", "dia"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("part", [np.array, np.triu, np.tril])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.float64])
def test_every_way_to_write_a_matrix_is_one_graph(layout, kind, part, dtype, capsys):
    matrix = getattr(scipy.sparse, f"{layout}_{kind}")(part(DENSE).astype(dtype))
    graph = Graph.from_scipy(matrix)
    assert graph.hash == Graph([[0, 1, 1, 2], [1, 0, 2, 1]], num_nodes=4).hash
    assert capsys.readouterr().err == ""


def test_a_matrix_that_is_neither_symmetric_nor_a_triangle_is_read_and_said(capsys):
    matrix = scipy.sparse.csr_array(np.array([[0, 1, 0], [0, 0, 0], [0, 1, 0]]))
    assert Graph.from_scipy(matrix).pairs.tolist() == [[0, 1], [1, 2]]
    assert "read 2 entries without their mirror image as undirected edges" in capsys.readouterr().err
    assert Graph.from_scipy(matrix, directed=True).edge_index.tolist() == [[0, 2], [1, 1]]
    assert capsys.readouterr().err == ""


def test_weights_of_a_matrix():
    matrix = scipy.sparse.coo_array(DENSE * 1.0)
    assert Graph.from_scipy(matrix).edge_weight is None
    assert Graph.from_scipy(matrix, weighted=True).edge_weight.tolist() == [1.0] * 4
    assert Graph.from_scipy(matrix * 3).edge_weight.tolist() == [3.0] * 4
    assert Graph.from_scipy(matrix * 3, weighted=False).edge_weight is None
    assert Graph.from_scipy((matrix * 3).astype(np.int16)).edge_weight.dtype == torch.float32
    assert Graph.from_scipy(matrix * 3).edge_weight.dtype == torch.float64


def test_explicit_zeros_are_no_edges():
    matrix = scipy.sparse.csr_array(DENSE * 1.0)
    matrix.data[0] = 0
    matrix.setdiag(0)
    with pytest.raises(InputError, match=r"weight of .* is 0"):
        Graph([[0, 1], [1, 0]], edge_weight=[0.0, 0.0]).to_scipy()
    assert Graph.from_scipy(matrix, directed=True).num_edges == 3


def test_the_callers_matrix_stays_as_it_is():
    matrix = scipy.sparse.csr_array(
        (np.array([0.0, 1.0, 1.0]), np.array([2, 1, 1]), np.array([0, 3, 3, 3])), shape=(3, 3)
    )
    assert Graph.from_scipy(matrix).edge_weight.tolist() == [2.0, 2.0]
    assert matrix.nnz == 3
    assert matrix.indices.tolist() == [2, 1, 1]


@pytest.mark.parametrize(("duplicates", "expected"), [("first", 2.0), ("sum", 5.0), ("mean", 2.5), ("max", 3.0)])
def test_contradictory_entries(duplicates, expected):
    matrix = scipy.sparse.csr_array(np.array([[0, 2.0], [3.0, 0]]))
    with pytest.raises(InputError, match=r"adjacency\[0, 1\] = 2.0 and adjacency\[1, 0\] = 3.0 .*duplicates="):
        Graph.from_scipy(matrix)
    assert Graph.from_scipy(matrix, duplicates=duplicates).edge_weight.tolist() == [expected, expected]
    assert Graph.from_scipy(matrix, directed=True).edge_weight.tolist() == [2.0, 3.0]


def test_diagonals(capsys):
    matrix = scipy.sparse.csr_array(DENSE + np.diag([0, 5, 5, 0]))
    with pytest.raises(InputError, match=r"self-loop \(1, 1\), 2 in all: self_loops='drop'"):
        Graph.from_scipy(matrix)
    # What is dropped does not make the others weights.
    assert Graph.from_scipy(matrix, self_loops="drop").hash == Graph.from_scipy(scipy.sparse.csr_array(DENSE)).hash
    assert "dropped 2 self-loops" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("matrix", "options", "named"),
    [
        (DENSE, {}, r"adjacency is of type ndarray: .*scipy.sparse.csr_array\(adjacency\)"),
        (scipy.sparse.csr_array((2, 3)), {}, r"adjacency has shape \(2, 3\): expected \(N, N\)"),
        (scipy.sparse.csr_array(DENSE * 1j), {}, "adjacency is of type complex128"),
        (scipy.sparse.csr_array(DENSE * np.nan), {}, "adjacency contains NaN"),
        (scipy.sparse.csr_array(DENSE), {"weighted": "yes"}, "weighted='yes'"),
        (scipy.sparse.csr_array(DENSE), {"directed": 1}, "directed=1"),
        (scipy.sparse.csr_array(DENSE), {"self_loops": "keep"}, "self_loops='keep'"),
        (scipy.sparse.csr_array(DENSE), {"duplicates": "any"}, "duplicates='any'"),
        (scipy.sparse.csr_array(DENSE), {"x": np.ones((3, 1))}, "x has 3 rows"),
        (scipy.sparse.csr_array(DENSE), {"node_ids": ["a"]}, "node_ids has shape"),
    ],
)
def test_refused_matrices(matrix, options, named):
    with pytest.raises(InputError, match=named):
        Graph.from_scipy(matrix, **options)


# PyG


def test_pyg_as_its_users_write_it():
    data = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), x=torch.ones(4, 2), y=torch.zeros(4, 1).long())
    data.train_mask = data.val_mask = data.test_mask = torch.ones(4).bool()
    graph = Graph.from_pyg(data)
    assert (graph.num_nodes, graph.num_edges, graph.y.shape) == (4, 2, (4,))


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_pyg_edge_attr_of_one_column_is_the_weight(shape):
    weight = torch.tensor([1.0, 1.0, 2.0, 2.0])
    index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    for name in ("edge_attr", "edge_weight"):
        assert torch.equal(Graph.from_pyg(Data(edge_index=index, **{name: weight.reshape(shape)})).edge_weight, weight)


def pyg(**fields):
    return Data(**{"edge_index": torch.tensor([[0, 1], [1, 0]]), **fields})


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (HeteroData(), "data is of type HeteroData: expected torch_geometric.data.Data"),
        (Data(x=torch.ones(2, 1)), "data has no edge_index"),
        (Data(edge_index=torch.tensor([[0], [1]])), r"without its reverse"),
        (Data(edge_index=torch.tensor([[0, 0], [0, 0]])), "self-loop"),
        (Data(edge_index=torch.tensor([[0, 1, 0, 1], [1, 0, 1, 0]])), "more than once"),
        (pyg(edge_attr=torch.ones(2, 3)), r"data.edge_attr has shape \(2, 3\): expected one weight for each edge"),
        (pyg(edge_weight=torch.ones(2, 3)), r"data.edge_weight has shape \(2, 3\)"),
        (pyg(edge_weight=torch.ones(2), edge_attr=torch.ones(2, 1)), "data has edge_weight and edge_attr"),
        (pyg(edge_weight=torch.tensor([1.0, 2.0])), "edge_weight differs"),
        (pyg(pos=torch.ones(2, 3), colour=["red"]), "data has the attributes colour, pos, which a Graph cannot hold"),
        (pyg(y=torch.tensor([0.5, 1.0])), "y is of type torch.float32"),
        (pyg(y=torch.ones(2, 3).long()), r"y has shape \(2, 3\)"),
        (pyg(x=torch.ones(3)), r"x has shape \(3,\)"),
        (pyg(x=torch.ones(3, 1), node_ids=["a", "b"]), "node_ids has shape"),
    ],
)
def test_refused_pyg_data(data, named):
    with pytest.raises(InputError, match=named):
        Graph.from_pyg(data)


def test_pyg_ignores_what_it_is_told_to():
    data = pyg(pos=torch.ones(2, 3), edge_attr=torch.ones(2, 3))
    graph = Graph.from_pyg(data, ignore=["pos", "edge_attr"])
    assert (graph.num_edges, graph.edge_weight) == (1, None)
    assert Graph.from_pyg(pyg(pos=torch.ones(2, 3)), ignore="pos").hash == graph.hash


def test_pyg_ids():
    data = Graph([[0, 1], [1, 0]], node_ids=["ann", "bob"]).to_pyg()
    assert data.node_ids == ["ann", "bob"]
    assert data.num_nodes == 2
    assert Graph([[0, 1], [1, 0]], node_ids=[5, 3]).to_pyg().node_ids.tolist() == [5, 3]
    assert "x" not in data.to_dict()
