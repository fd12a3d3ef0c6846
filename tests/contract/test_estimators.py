"""Every graph estimator, whatever its settings, keeps one contract: shapes, seeds, refusals, files, nothing global."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Distribution

import graphvae as gv
from graphvae.estimators.fitting import inputs_of
from graphvae.estimators.run_folder import ESTIMATORS
from graphvae.estimators.scoring import evaluate
from graphvae.estimators.vgae import PRESETS
from graphvae.nn import Structure
from graphvae.plots.embedding import plot_embedding
from graphvae.plots.history import plot_history
from graphvae.training.objectives import OBJECTIVES, objective_named

BRIEF = Structure(steps=10)
FEW = {"epochs": 4, "structure": BRIEF}
# Few epochs, and otherwise every way to make an estimator that the package offers.
MEMBERS = {
    "vgae": lambda **o: gv.VGAE(**{"epochs": 4, **o}),
    "vgae-elbo": lambda **o: gv.VGAE(**{"epochs": 4, "objective": "elbo", "samples": 2, **o}),
    "vgae-sampled": lambda **o: gv.VGAE(**{"epochs": 4, "objective": "sampled", "dropout": 0.2, **o}),
    "vgae-linear": lambda **o: gv.VGAE(**{"epochs": 4, "hidden_dims": (), "kl_warmup": 2, **o}),
    "vgae-deep": lambda **o: gv.VGAE(**{"epochs": 4, "hidden_dims": (12, 8), "patience": 2, **o}),
    "vgae-generative": lambda **o: gv.VGAE.preset("generative", **{"epochs": 4, **o}),
    "vgae-strong": lambda **o: gv.VGAE.preset("strong", **{**FEW, **o}),
    "vgae-strong-featureless": lambda **o: gv.VGAE.preset("strong-featureless", **{**FEW, **o}),
    "vgae-auto": lambda **o: gv.VGAE.preset("auto", **{**FEW, **o}),
    "vgae-iwae": lambda **o: gv.VGAE(**{"epochs": 4, "objective": "iwae", "samples": 3, **o}),
    "vgae-free-bits": lambda **o: gv.VGAE(**{"epochs": 4, "objective": "free-bits", **o}),
    "vgae-mixture": lambda **o: gv.VGAE(**{"epochs": 4, "objective": "elbo", "prior": "mixture", **o}),
    "vgae-adversarial": lambda **o: gv.VGAE(**{"epochs": 4, "objective": "adversarial:elbo", **o}),
    "gae-adversarial": lambda **o: gv.GAE(**{"epochs": 4, "objective": "adversarial", **o}),
    "gae": lambda **o: gv.GAE(**{"epochs": 4, **o}),
    "gae-elbo": lambda **o: gv.GAE(**{"epochs": 4, "objective": "elbo", "dropout": 0.1, **o}),
}


def communities(seed: int = 0, n: int = 30, features: bool = True) -> gv.Graph:
    """Two groups of nodes, edges mostly inside, features that tell the group; one node has no edge."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2
    p = np.where(group[:, None] == group, 0.35, 0.05)
    u, v = np.nonzero(np.triu(rng.random((n, n)) < p, 1))
    u, v = u[v < n - 1], v[v < n - 1]
    x = rng.normal(size=(n, 5)) + 2 * group[:, None] if features else None
    ids = [f"node {i}" for i in rng.permutation(n)]
    return gv.Graph([[*u, *v], [*v, *u]], x=x, num_nodes=n, node_ids=ids)


@pytest.fixture(scope="module")
def split():
    return gv.split_links(communities(), val=0.1, test=0.2, seed=0)


@pytest.fixture(scope="module", params=MEMBERS)
def make(request):
    return MEMBERS[request.param]


@pytest.fixture(scope="module")
def model(make, split):
    return make().fit(split)


def weights(model) -> dict[str, torch.Tensor]:
    return model.fitted.module.state_dict()


def same_weights(a, b) -> bool:
    a, b = weights(a), weights(b)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_every_estimator_objective_and_preset_is_a_member():
    members = [make() for make in MEMBERS.values()]
    assert {type(member).__name__ for member in members} == set(ESTIMATORS)
    assert {objective_named(member.objective).name for member in members} == set(OBJECTIVES)
    covered = [member.get_params() for member in members]
    for preset in PRESETS.values():
        settings = {name: value for name, value in preset.items() if name not in FEW}
        assert any(settings.items() <= params.items() for params in covered)


def test_transform_gives_a_row_for_each_node(model, split):
    z = model.transform(split.train)
    assert z.shape == (30, model.latent_dim)
    assert z.dtype == np.float32
    assert isinstance(z, np.ndarray)
    z[:] = 0
    assert model.transform(split.train).any()


def test_embed_names_the_rows_of_transform(model, split):
    embeddings = model.embed()
    assert embeddings.ids.tolist() == split.train.node_ids.tolist()
    assert np.array_equal(embeddings.vectors, model.transform(split.train))
    if model.is_variational:
        assert embeddings.scale.shape == embeddings.vectors.shape
        assert (embeddings.scale > 0).all()
    else:
        assert embeddings.scale is None


def test_a_model_embeds_a_graph_it_has_never_seen(model):
    other = communities(seed=9, n=11)
    assert model.transform(other).shape == (11, model.latent_dim)


def test_probabilities_by_ids_and_by_rows(model, split):
    ids = split.train.node_ids
    rows = split.test.positive
    by_rows = model.predict_proba(edge_label_index=rows)
    pairs = [(ids[u], ids[v]) for u, v in rows.T.tolist()]
    assert by_rows.shape == (rows.shape[1],)
    assert np.array_equal(model.predict_proba(pairs), by_rows)
    assert np.array_equal(model.predict_proba([(v, u) for u, v in pairs]), by_rows)
    assert ((by_rows > 0) & (by_rows < 1)).all()


def test_history_has_each_term_of_each_epoch(model):
    assert [record["epoch"] for record in model.history] == list(range(1, len(model.history) + 1))
    terms = {"epoch", "loss", "reconstruction", "val_auc", "val_ap", "val_score"}
    game = {"fooling", "opponent"} if objective_named(model.objective).name == "adversarial" else set()
    assert set(model.history[-1]) == terms | game | ({"kl"} if model.is_variational else set())
    assert set(model.history[0]) - set(model.history[-1]) == set()


def test_the_report_is_of_the_test_pairs(model, split):
    report = model.evaluate(split)
    assert (report.part, report.model) == ("test", type(model).__name__)
    assert report.num_positive == report.num_negative == split.test.positive.shape[1]
    assert report.to_dict() == model.evaluate().to_dict()
    assert model.evaluate(split, part="val").num_positive == split.val.positive.shape[1]
    assert type(model).__name__ in str(report)


def test_one_seed_one_result_whatever_else_draws(make, model, split):
    torch.manual_seed(99), np.random.seed(7), random.seed(5)  # noqa: NPY002 - the state is what is disturbed
    torch.randn(17)
    again = make().fit(split)
    assert same_weights(model, again)
    assert again.history == model.history
    assert again.evaluate().to_dict() == model.evaluate().to_dict()


def test_another_seed_another_result(make, model, split):
    assert not same_weights(model, make(seed=1).fit(split))


def test_fitting_again_starts_anew(make, model, split):
    twice = make().fit(split).fit(split)
    assert same_weights(model, twice)


def digest(model) -> str:
    parts = [name.encode() + tensor.numpy().tobytes() for name, tensor in sorted(weights(model).items())]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_another_process_gives_bitwise_the_same_weights(split, tmp_path):
    """All members in one fresh interpreter, its generators disturbed, its hashes seeded otherwise."""
    script = f"""
import random, runpy, sys, numpy, torch
torch.set_num_threads({torch.get_num_threads()})
torch.manual_seed(123), numpy.random.seed(3), random.seed(1)
here = runpy.run_path({str(Path(__file__))!r})
split = here["gv"].split_links(here["communities"](), val=0.1, test=0.2, seed=0)
for name, make in here["MEMBERS"].items():
    torch.randn(3)
    print(name, here["digest"](make().fit(split)))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(gv.__file__).parents[1]), "PYTHONHASHSEED": "77"}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    theirs = dict(line.split() for line in run.stdout.splitlines())
    assert theirs == {name: digest(make().fit(split)) for name, make in MEMBERS.items()}


def test_relabelling_the_nodes_relabels_the_result(model, split):
    graph = split.train
    order = np.random.default_rng(3).permutation(graph.num_nodes)  # new row r is old row order[r]
    row = np.argsort(order)
    relabelled = gv.Graph(
        row[graph.edge_index.numpy()], x=graph.x[torch.from_numpy(order)], node_ids=graph.node_ids[order]
    )
    np.testing.assert_allclose(model.transform(relabelled), model.transform(graph)[order], atol=1e-5, rtol=1e-5)


def test_no_test_pair_reaches_training(make, model, split):
    """A split whose test pairs are any others trains to bitwise the same weights."""
    both = torch.cat([split.test.positive, split.test.negative], 1)
    other = dataclasses.replace(split, test=gv.LinkSet(both[:, ::2], both[:, 1::2]))
    assert other.hash != split.hash
    assert same_weights(model, make().fit(other))


def test_no_held_out_edge_is_in_any_propagation_matrix(make, split, monkeypatch):
    """Neither in training nor in evaluation, seen where networks get their graph."""
    from graphvae.nn.inputs import GraphInputs

    seen = []
    build = GraphInputs.build.__func__

    def spy(cls, *args, **kwargs):
        seen.append(build(cls, *args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(GraphInputs, "build", classmethod(spy))
    model = make().fit(split)
    model.evaluate(split), model.transform(split.train), model.embed(), model.sample(source="posterior")
    assert len(seen) >= 2
    for inputs in seen:
        matrix = inputs.propagation.to_dense().numpy()
        for links in (split.val, split.test):
            u, v = links.positive.numpy()
            assert not matrix[u, v].any()
            assert not matrix[v, u].any()
        u, v = split.train.pairs.numpy()
        assert matrix[u, v].all()


def test_shuffled_test_labels_give_an_auc_of_a_half(split):
    """Through the whole of ``evaluate``; with the right labels the same model does much better."""
    model = gv.VGAE(epochs=60).fit(split)
    both = torch.cat([split.test.positive, split.test.negative], 1)
    rng = np.random.default_rng(0)
    aucs = []
    for _ in range(60):
        order = torch.from_numpy(rng.permutation(both.shape[1]))
        half = both.shape[1] // 2
        shuffled = dataclasses.replace(split, test=gv.LinkSet(both[:, order[:half]], both[:, order[half:]]))
        fitted = dataclasses.replace(model.fitted, split_hash=shuffled.hash)
        aucs.append(evaluate(fitted, shuffled, "test", ranking=False, hard=0, bootstrap=0).auc)
    # The null distribution of the Mann-Whitney statistic: variance (P + Q + 1) / (12 P Q).
    error = np.sqrt((2 * half + 1) / (12 * half**2) / len(aucs))
    assert abs(np.mean(aucs) - 0.5) < 4 * error
    assert model.evaluate(split).auc > 0.5 + 8 * error


def test_a_sampled_graph_is_the_seeds_and_keeps_the_nodes(model, split):
    one = model.sample(seed=1, source="posterior")
    assert isinstance(one, gv.Graph)
    assert one.node_ids.tolist() == split.train.node_ids.tolist()
    torch.randn(5)
    assert model.sample(seed=1, source="posterior").hash == one.hash
    assert model.sample(seed=2, source="posterior").hash != one.hash
    assert torch.equal(one.x, split.train.x)


def test_what_needs_a_distribution_refuses_a_point(model):
    if model.is_variational:
        assert np.isfinite(model.elbo())
        assert model.log_marginal(samples=3).samples == 3
        assert model.sample().num_nodes == 30
        return
    for refused in (model.elbo, model.log_marginal):
        with pytest.raises(gv.InputError, match=r"point posterior has no density.*expected a VGAE"):
            refused()
    with pytest.raises(gv.InputError, match=r'source="prior".*point posterior has no prior'):
        model.sample(source="prior")


def test_a_run_folder_gives_the_same_model_back(model, split, tmp_path):
    model.save(tmp_path / "run")
    loaded = gv.load(tmp_path / "run")
    assert type(loaded) is type(model)
    assert repr(loaded) == repr(model)
    assert same_weights(model, loaded)
    assert np.array_equal(loaded.embed().vectors, model.embed().vectors)
    rows = split.test.positive
    assert np.array_equal(loaded.predict_proba(edge_label_index=rows), model.predict_proba(edge_label_index=rows))
    # These features lived in memory: what needs them takes them from the caller.
    assert loaded.evaluate(split).to_dict() == model.evaluate(split).to_dict()
    if model.is_variational:
        assert loaded.elbo(split.train) == model.elbo()


# --- refusals -------------------------------------------------------------------------------------------------------


def test_an_unfitted_estimator_says_so(make, split):
    model = make()
    for use in (model.embed, model.evaluate, model.sample, lambda: model.transform(split.train), lambda: model.history):
        with pytest.raises(gv.InputError, match="not fitted"):
            use()


@pytest.mark.parametrize("data", [None, "cora", np.zeros((3, 3)), [[0, 1], [1, 0]]])
def test_fit_takes_graphs_and_splits(make, data):
    with pytest.raises(gv.InputError, match="expected a Graph or the LinkSplit"):
        make().fit(data)


def test_graphs_that_cannot_be_fitted_are_refused_by_name(make):
    x = np.eye(4)
    ring = [[0, 1, 2, 3], [1, 2, 3, 0]]
    every = np.array([(u, v) for u in range(4) for v in range(4) if u != v]).T
    for graph, name in (
        (gv.Graph(ring, x=x, directed=True), "directed=True"),
        (gv.Graph(np.zeros((2, 0), dtype=int), x=x), "edge_index: the graph of 4 nodes has no edges"),
        (gv.Graph(every, x=x), "edge_index: every pair of nodes is an edge"),
    ):
        with pytest.raises(gv.InputError, match=name):
            make().fit(graph)


def test_negative_weights_are_refused_by_name(make):
    graph = gv.Graph([[0, 1, 1, 2], [1, 0, 2, 1]], x=np.eye(3), edge_weight=[1.0, 1.0, -2.0, -2.0])
    with pytest.raises(gv.InputError, match=r"edge_weight contains -2\.0"):
        make(**({"patience": None})).fit(graph)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("latent_dim", 0),
        ("latent_dim", 2.5),
        ("hidden_dims", 32),
        ("hidden_dims", "32"),
        ("hidden_dims", (32, 0)),
        ("hidden_dims", iter([32])),
        ("objective", "kip"),
        ("decoder", "inner"),
        ("decoder", torch.nn.Linear(2, 2)),
        ("dropout", 1.0),
        ("dropout", "0.1"),
        ("epochs", 0),
        ("epochs", True),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("patience", 0),
        ("device", "gpu"),
        ("seed", None),
        ("seed", -1),
        ("seed", 0.5),
    ],
)
def test_arguments_are_refused_by_name_before_any_training(make, split, argument, value):
    model = make(**{argument: value})
    with pytest.raises(gv.InputError, match=rf"{argument}="):
        model.fit(split)
    with pytest.raises(gv.InputError, match="not fitted"):
        model.embed()


def test_a_fit_that_is_refused_leaves_the_model_as_it_was(make, split):
    model = make().fit(split)
    before = digest(model)
    with pytest.raises(gv.InputError):
        model.set_params(epochs=0).fit(split)
    assert digest(model) == before


def test_unknown_arguments_suggest_the_right_one(make):
    model = make()
    with pytest.raises(gv.InputError, match=r"no argument 'epoch'.*did you mean 'epochs'"):
        model.set_params(seed=7, epoch=3)
    assert model.seed == 0


# --- nothing global -------------------------------------------------------------------------------------------------


def global_state() -> dict[str, object]:
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - the state looked after
    return {
        "torch seed": hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest(),
        "numpy seed": (kind, hashlib.sha256(keys.tobytes()).hexdigest(), *rest),
        "python seed": hashlib.sha256(repr(random.getstate()).encode()).hexdigest(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "validation": (Distribution._validate_args, torch.distributions.Normal._validate_args),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "gradients": torch.is_grad_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "float errors": np.geterr(),
        "printing": np.get_printoptions(),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "streams": (id(sys.stdout), id(sys.stderr)),
    }


def write_csv(path: Path) -> Path:
    path.write_text("a,b\nann,bob\nbob,cid\ncid,dan\ndan,ann\n")
    return path


def refused_fit(split) -> None:
    with pytest.raises(gv.InputError):
        gv.VGAE(epochs=0).fit(split)


CALLS = {
    "load_graph": lambda model, split, path: gv.load_graph("karate"),
    "from_edges": lambda model, split, path: gv.Graph.from_edges(write_csv(path / "e.csv")),
    "split_links": lambda model, split, path: gv.split_links(split.train, val=0.1, test=0.1, seed=5),
    "fit": lambda model, split, path: model.__class__(**model.get_params()).fit(split),
    "fit with progress": lambda model, split, path: model.__class__(**model.get_params()).fit(split, progress=True),
    "transform": lambda model, split, path: model.transform(split.train),
    "embed": lambda model, split, path: model.embed(),
    "predict_proba": lambda model, split, path: model.predict_proba(edge_label_index=[[0], [1]]),
    "evaluate": lambda model, split, path: model.evaluate(split),
    "elbo": lambda model, split, path: model.is_variational and model.elbo(),
    "log_marginal": lambda model, split, path: model.is_variational and model.log_marginal(samples=3),
    "sample": lambda model, split, path: model.sample(seed=3, source="posterior"),
    "evaluate_samples": lambda model, split, path: model.evaluate_samples(samples=1, source="posterior"),
    "save and load": lambda model, split, path: gv.load(model.save(path / "run")),
    "embeddings": lambda model, split, path: gv.Embeddings.load(model.embed().save(path / "e.parquet")),
    "plot_embedding": lambda model, split, path: plot_embedding(model.embed().vectors, path=path / "e.png"),
    "plot_history": lambda model, split, path: plot_history(model.history, path / "h.png"),
    "refused fit": lambda model, split, path: refused_fit(split),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("member", ["vgae-generative", "gae"])
def test_no_public_call_changes_anything_global(member, call, split, tmp_path):
    model = MEMBERS[member]().fit(split)
    torch.manual_seed(11), np.random.seed(12), random.seed(13)  # noqa: NPY002 - so that drawing would show
    before = global_state()
    CALLS[call](model, split, tmp_path)
    after = global_state()
    assert {name for name in before if before[name] != after[name]} == set()


def test_the_net_would_see_a_change():
    before = global_state()
    torch.randn(1), np.random.rand(), random.random()  # noqa: NPY002
    changed = {name for name, value in global_state().items() if value != before[name]}
    assert changed == {"torch seed", "numpy seed", "python seed"}


def test_inputs_of_a_graph_are_those_of_its_edges(split):
    """What the spy above relies on: the matrix is the normalised adjacency, dense and by hand."""
    a = split.train.to_scipy().toarray() + np.eye(30)
    degree = a.sum(1)
    expected = a / np.sqrt(degree[:, None] * degree)
    np.testing.assert_allclose(inputs_of(split.train).propagation.to_dense().numpy(), expected, atol=1e-6)
