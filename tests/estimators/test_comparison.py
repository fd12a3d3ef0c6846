"""One table over graph and image models, with dashes for what a model does not have."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from sklearn.decomposition import PCA

from graphvae._check import InputError
from graphvae.data.registry import load_graph, load_images
from graphvae.estimators.autoencoders import AE, CVAE, VAE
from graphvae.estimators.comparison import COLUMNS, Comparison, ComparisonRow, compare
from graphvae.estimators.fitting import Fitted
from graphvae.estimators.semi_supervised import SemiSupervisedVAE
from graphvae.estimators.vgae import GAE, VGAE
from graphvae.evaluation.embedding_quality import active_units, embedding_quality

SMALL = {"latent_dim": 4, "hidden_dims": (32,), "epochs": 5, "batch_size": 64}


@pytest.fixture(scope="module")
def images():
    return load_images("digits").select(range(200))


@pytest.fixture(scope="module")
def graph():
    return load_graph("digits-knn")


@pytest.fixture(scope="module")
def models(images, graph):
    x, y = images.x, images.y
    return {
        "vae": (VAE(**SMALL).fit(x), images),
        "ae": (AE(**SMALL).fit(x), images),
        "cvae": (CVAE(**SMALL).fit(x, y), images),
        "m2": (SemiSupervisedVAE(**SMALL).fit(x, np.where(np.arange(200) % 2, y, -1)), images),
        "pca": (PCA(4).fit(images.flat().x.numpy()), images.unflat()),
        "vgae": (VGAE(latent_dim=4, hidden_dims=(8,), epochs=3, objective="elbo").fit(graph), graph),
        "gae": (GAE(latent_dim=4, hidden_dims=(8,), epochs=3).fit(graph), graph),
    }


@pytest.fixture(scope="module")
def table(models):
    with pytest.MonkeyPatch.context() as patch:
        # Only where a fitted graph model does not yet hold the time itself.
        if "seconds" not in {field.name for field in dataclasses.fields(Fitted)}:
            patch.setattr(Fitted, "seconds", 1.0, raising=False)
        return compare(models, samples=5)


def row(table: Comparison, name: str) -> ComparisonRow:
    (found,) = (r for r in table.rows if r.name == name)
    return found


def test_figures_are_those_of_the_models(table, models, images):
    vae, found = models["vae"][0], row(table, "vae")
    x, y = images.x.numpy(), images.y.numpy()
    elbo, log_likelihood, kl = vae.elbo_terms(x)
    assert found.elbo == pytest.approx(elbo.mean()) == pytest.approx(vae.score(x))
    assert found.log_likelihood == pytest.approx(log_likelihood.mean())
    assert found.log_likelihood - found.kl == pytest.approx(found.elbo)
    assert found.kl == pytest.approx(kl.mean())
    assert found.elbo_per_value == pytest.approx(elbo.mean() / 64)
    assert found.kl_per_unit == pytest.approx(kl.mean() / 4)
    assert found.log_marginal == pytest.approx(vae.log_marginal(x, samples=5).mean())
    z = vae.transform(x)
    quality = embedding_quality(z, y)
    assert (found.probe, found.knn, found.nmi) == pytest.approx((100 * quality.probe, 100 * quality.knn, quality.nmi))
    assert found.active_units == active_units(z)
    assert found.parameters == (64 * 32 + 32) + (32 * 8 + 8) + (4 * 32 + 32) + (32 * 64 + 64)
    assert found.seconds == vae.fit_seconds_
    assert found.data == "200 x 64 values"


def test_figures_of_a_graph_are_those_of_the_whole_graph(table, models, graph):
    model, found = models["vgae"][0], row(table, "vgae")
    pairs = 1797 * 1796 // 2
    assert found.data == f"1 x {pairs} pairs"
    assert found.elbo == pytest.approx(model.elbo(graph))
    assert found.elbo_per_value == pytest.approx(found.elbo / pairs)
    assert found.log_likelihood - found.kl == pytest.approx(found.elbo)
    assert found.kl_per_unit == pytest.approx(found.kl / (1797 * 4))
    assert found.log_marginal == pytest.approx(model.log_marginal(graph, samples=5).estimate)
    assert found.seconds > 0
    assert found.probe > 10


def test_what_a_model_does_not_have_is_a_dash(table):
    bounds = ("elbo", "log_likelihood", "kl", "elbo_per_value", "log_marginal", "kl_per_unit")
    for name in ("ae", "gae", "pca"):
        assert all(getattr(row(table, name), key) is None for key in bounds)
        assert row(table, name).knn > 10
    assert row(table, "pca").parameters is row(table, "pca").seconds is None
    assert row(table, "ae").parameters > 0
    assert row(table, "ae").seconds > 0
    lines = str(table).splitlines()
    assert len(lines) == 8
    assert [line.split()[0] for line in lines[1:]] == ["vae", "ae", "cvae", "m2", "pca", "vgae", "gae"]
    assert [line.count("–") for line in lines[1:]] == [0, 6, 0, 0, 8, 0, 6]
    for title, _ in COLUMNS.values():
        assert title in lines[0]
    # Columns are aligned: each title ends where its numbers end.
    end = lines[0].index("seconds") + len("seconds")
    assert all(len(line) == end for line in lines)


def test_conditional_figures_say_that_they_are_given_the_class(table, models, images):
    x, y = images.x.numpy(), images.y.numpy()
    cvae, m2 = row(table, "cvae"), row(table, "m2")
    assert cvae.data == "200 x 64 values given y"
    assert cvae.elbo == pytest.approx(models["cvae"][0].score(x, y))
    # M2 sums the classes out, so its row is comparable with the VAE's; labels of -1 are no obstacle.
    assert m2.data == "200 x 64 values"
    assert m2.elbo == pytest.approx(models["m2"][0].elbo(x).mean())
    again = compare({"m2": (models["m2"][0], (x, np.where(np.arange(200) % 2, y, -1)))}, samples=5).rows[0]
    assert again.elbo == pytest.approx(m2.elbo)
    assert again.knn != m2.knn


def test_data_come_as_images_as_an_array_or_with_labels(models, table, images):
    vae = models["vae"][0]
    x, y = images.x.numpy(), images.y.numpy()
    labelled, bare = compare({"a": (vae, (x, y)), "b": (vae, x)}, samples=5).rows
    expected = row(table, "vae")
    assert dataclasses.replace(labelled, name="vae") == expected
    assert dataclasses.replace(bare, name="vae") == dataclasses.replace(expected, probe=None, knn=None, nmi=None)


def test_tables_of_a_transformer_change_nothing(images):
    pytest.importorskip("pandas")
    x, y = images.x.numpy(), images.y.numpy()
    plain = VAE(**SMALL).fit(x, y)
    framed = VAE(**SMALL).set_output(transform="pandas").fit(x, y)
    first, second = compare({"a": (plain, images), "b": (framed, images)}, samples=2).rows
    assert dataclasses.replace(first, name="", seconds=0) == dataclasses.replace(second, name="", seconds=0)


def test_it_is_json(table):
    rows = json.loads(json.dumps(table.to_dict()))["rows"]
    assert [r["name"] for r in rows] == [r.name for r in table.rows]
    assert rows[0]["elbo"] == table.rows[0].elbo
    assert rows[4]["elbo"] is None


def test_refusals(models, images, graph):
    vae, vgae = models["vae"][0], models["vgae"][0]
    for bad, message in [
        ({}, "models=dict: expected a mapping"),
        ([("a", vae)], "models=list"),
        ({"a": vae}, r"models\['a'\] is VAE: expected a pair"),
        ({"a": (vae, images, 1)}, r"models\['a'\] is tuple"),
        ({"a": (3, images)}, "int has no transform"),
        ({"a": (vae, graph)}, r"models\['a'\]: VAE cannot embed a Graph"),
        ({"a": (vgae, images)}, r"models\['a'\]: VGAE cannot embed a Images"),
        ({"a": (PCA(), graph)}, r"models\['a'\]: PCA cannot embed a Graph"),
        ({"a": (VGAE(), graph)}, "not fitted"),
    ]:
        with pytest.raises(InputError, match=message):
            compare(bad)
    with pytest.raises(ValueError, match="not fitted"):
        compare({"a": (VAE(), images)})
    for samples in (1, 0, 2.5):
        with pytest.raises(InputError, match="samples="):
            compare({"a": (vae, images)}, samples=samples)
