"""What is written is read by the programs it is written for, and a graph's ids survive from its CSV to each of them."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

import graphvae as gv

AWKWARD = [
    "Ödön", "a,b", 'say "hi"', "007", "7", "1000000000000000000", "=1+1", " ann ", "NA", "null", "数", "'", "-1", "a;b",
]  # fmt: skip


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory):
    """Of a graph that was read from a CSV file."""
    path = tmp_path_factory.mktemp("in") / "edges.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["src", "dst"])
        rows.writerows(zip(AWKWARD, AWKWARD[1:] + AWKWARD[:1], strict=True))
    model = gv.VGAE(latent_dim=3, epochs=2).fit(gv.Graph.from_edges(path))
    found = model.embed()
    assert set(found.ids.tolist()) == set(AWKWARD)
    return found


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv", ".tsv", ".projector"])
def test_from_csv_to_each_format_and_back(embeddings, tmp_path, suffix):
    read = gv.Embeddings.load(embeddings.save(tmp_path / f"x{suffix}"))
    assert read.ids.tolist() == embeddings.ids.tolist()
    assert np.array_equal(read.vectors, embeddings.vectors)
    assert np.array_equal(read.scale, embeddings.scale)


def test_pandas(embeddings, tmp_path):
    table = pd.read_parquet(embeddings.save(tmp_path / "x.parquet"))
    assert table["id"].tolist() == embeddings.ids.tolist()
    assert np.array_equal(table[["z0", "z1", "z2"]].to_numpy(), embeddings.vectors)
    assert np.array_equal(table[["scale0", "scale1", "scale2"]].to_numpy(), embeddings.scale)
    for suffix, separator in ((".csv", ","), (".tsv", "\t")):
        path = embeddings.save(tmp_path / f"x{suffix}")
        text = pd.read_csv(path, sep=separator, dtype={"id": str}, keep_default_na=False)
        assert text["id"].tolist() == embeddings.ids.tolist()
        assert np.allclose(text[["z0", "z1", "z2"]].to_numpy(), embeddings.vectors, rtol=0, atol=1e-6)


def test_numpy(embeddings, tmp_path):
    with np.load(embeddings.save(tmp_path / "x.npz"), allow_pickle=False) as arrays:
        assert arrays["ids"].tolist() == embeddings.ids.tolist()
        assert np.array_equal(arrays["vectors"], embeddings.vectors)


@pytest.mark.filterwarnings("ignore")  # of other people's packages
def test_gensim(embeddings, tmp_path):
    models = pytest.importorskip("gensim.models")
    plain = [node for node in embeddings.ids.tolist() if node.split() == [node]]
    rows = [embeddings.ids.tolist().index(node) for node in plain]
    own = gv.Embeddings(plain, embeddings.vectors[rows])
    read = models.KeyedVectors.load_word2vec_format(str(own.save(tmp_path / "x.txt")), binary=False)
    assert read.index_to_key == plain
    assert np.allclose(read.vectors, own.vectors, rtol=0, atol=1e-6)
    read.save_word2vec_format(str(tmp_path / "back.txt"))
    back = gv.Embeddings.load(tmp_path / "back.txt")
    assert sorted(back.ids.tolist()) == sorted(plain)
    assert np.allclose(back["007"], own["007"], rtol=0, atol=1e-6)
