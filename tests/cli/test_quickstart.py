"""``graphvae quickstart``: the whole job on embedded data, and the files it says it wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from sklearn.decomposition import PCA

import graphvae as gv
from graphvae.cli import main
from graphvae.evaluation.embedding_quality import embedding_quality


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("quick")


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    # Neither files nor a network are needed.
    monkeypatch.setenv("GRAPHVAE_DATA", str(folder / "nowhere"))
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **kwargs: pytest.fail("asked the network"))


def test_it_writes_the_files_it_lists(capsys):
    assert main(["quickstart", "--epochs", "3", "--out", "tmp", "--json"]) == 0
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert set(data["written"]) == {"embeddings", "picture", "training", "images", "latents"}
    for path in data["written"].values():
        assert Path(path).stat().st_size > 0
        assert path in err
    for name in ("picture", "training", "images", "latents"):
        assert Path(data["written"][name]).read_bytes().startswith(b"\x89PNG")
    assert "3/3" in err
    embeddings = gv.Embeddings.load(data["written"]["embeddings"], id_dtype=int)
    assert embeddings.vectors.shape == (1797, 16)
    assert sorted(p for p in os.listdir() if p.startswith(".")) == []
    loaded = gv.load("tmp")
    assert loaded.evaluate().to_dict() == data["test"]
    metrics = json.loads(Path("tmp/metrics.json").read_text())
    assert (metrics["test"], metrics["comparison"]) == (data["test"], data["comparison"])


def test_graph_and_image_models_of_the_digits_stand_in_one_table(capsys):
    """The rows of the run above, against the models they are of."""
    metrics = json.loads(Path("tmp/metrics.json").read_text())
    rows = {row["name"]: row for row in metrics["comparison"]["rows"]}
    assert list(rows) == ["VAE", "AE", "PCA", "VGAE"]
    _, held = gv.load_images("digits").split(0.2, seed=0)
    assert [rows[name]["data"] for name in ("VAE", "AE", "PCA")] == [f"{len(held)} x 64 values"] * 3
    assert rows["VGAE"]["data"] == f"1 x {1797 * 1796 // 2} pairs"
    assert rows["VAE"]["elbo"] < rows["VAE"]["log_marginal"]
    assert rows["AE"]["elbo"] is rows["PCA"]["elbo"] is None
    # Judged without labels in training and after three epochs, none of them is at chance.
    assert all(row["knn"] > 50 for row in rows.values())
    pca = PCA(16, random_state=0).fit(gv.load_images("digits").split(0.2, seed=0)[0].x.numpy())
    assert rows["PCA"]["knn"] == pytest.approx(100 * embedding_quality(pca.transform(held.x.numpy()), held.y).knn)
    model = gv.load("tmp")
    assert rows["VGAE"]["elbo"] == pytest.approx(model.elbo(model.fitted.graph()))


def test_the_report_says_who_won_beside_plain_baselines(capsys):
    assert main(["quickstart", "--epochs", "3", "--out", "tmp"]) == 0
    out, err = capsys.readouterr()
    assert "wins on AUC" in out
    for name in ("VGAE", "common neighbours", "Katz", "feature cosine", "Erdős-Rényi", "VAE", "AE", "PCA", "kNN %"):
        assert name in out
    assert "359 digits they did not train on" in out
    assert "next: graphvae evaluate tmp" in err


def test_an_earlier_quickstart_is_replaced_and_no_other_run(capsys):
    """The test above ran it twice in one folder. A run that took hours is another matter."""
    assert gv.load("tmp").epochs == 3
    assert main(["train", "karate", "--epochs", "1", "--out", "mine", "--quiet"]) == 0
    before = Path("mine/config.json").read_bytes()
    capsys.readouterr()
    assert main(["quickstart", "--epochs", "1", "--out", "mine"]) == 2
    assert "out='mine' exists" in capsys.readouterr().err
    assert Path("mine/config.json").read_bytes() == before
