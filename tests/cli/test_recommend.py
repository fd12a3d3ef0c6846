"""``graphvae recommend``: the best unknown links of a run."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import graphvae as gv
from graphvae.cli import main, recommend


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    split = gv.split_links(gv.load_graph("lesmis"), val=0.1, test=0.1, seed=0)
    return str(gv.VGAE(epochs=3).fit(split).save(tmp_path_factory.mktemp("runs") / "lesmis"))


def test_partners_of_nodes_as_a_table_and_as_json(run, capsys):
    expected = gv.load(run).recommend(["Javert", "Cosette"], k=3)
    arguments = ["recommend", run, "--node", "Javert", "--node", "Cosette", "-k", "3"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out == f"{expected}\n"
    assert "calibrated by" in err
    assert main([*arguments, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [(link["source"], link["target"], link["probability"]) for link in data["links"]] == list(expected)
    assert [link["rank"] for link in data["links"]] == [1, 2, 3, 1, 2, 3]


def test_the_best_of_all_pairs_and_of_every_node(run, capsys):
    model = gv.load(run)
    assert main(["recommend", run, "-k", "4"]) == 0
    assert capsys.readouterr().out == f"{model.recommend(k=4)}\n"
    assert main(["recommend", run, "-k", "1", "--all", "--held-out"]) == 0
    assert capsys.readouterr().out == f"{model.recommend(model.fitted.node_ids, k=1, held_out=True)}\n"


def test_integer_ids_are_named_by_their_text(tmp_path, capsys):
    run = str(
        gv.VGAE(epochs=1).fit(gv.load_graph("karate").replace(node_ids=np.arange(34) + 10**18)).save(tmp_path / "r")
    )
    assert main(["recommend", run, "--node", str(10**18 + 7), "-k", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["links"][0]["source"] == 10**18 + 7


def test_a_file_as_well(run, tmp_path, capsys):
    to = tmp_path / "new" / "links.csv"
    assert main(["recommend", run, "-k", "2", "--to", str(to)]) == 0
    assert f"2 links written to {to}" in capsys.readouterr().err
    with to.open(newline="") as file:
        assert len(list(csv.reader(file))) == 3


def test_a_long_search_is_told_and_asks_for_yes(run, capsys, monkeypatch):
    estimator = type(gv.load(run))
    search = estimator.recommend

    def slow(self, *arguments, announce, **options):
        announce(3 * 3600)
        return search(self, *arguments, **options)

    monkeypatch.setattr(estimator, "recommend", slow)
    assert main(["recommend", run]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "scoring all pairs, about 3.0 h"
    assert "this search takes about 3.0 h; expected --yes" in err.splitlines()[1]
    assert main(["recommend", run, "--yes", "-k", "1"]) == 0
    assert "scoring all pairs, about 3.0 h" in capsys.readouterr().err
    monkeypatch.setattr(recommend, "TELL", 1e9)
    monkeypatch.setattr(recommend, "ASK", 1e9)
    assert main(["recommend", run, "-k", "1"]) == 0
    assert "scoring" not in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "text"), [(12.3, "12 s"), (600, "10 min"), (7200, "2.0 h")])
def test_durations_in_words(seconds, text):
    assert recommend._duration(seconds) == text


def test_a_run_of_images_has_no_links(tmp_path, capsys):
    run = gv.VAE(epochs=1, latent_dim=2, hidden_dims=(4,)).fit(gv.load_images("digits").x[:50]).save(tmp_path / "run")
    assert main(["recommend", str(run)]) == 2
    assert "images have no links" in capsys.readouterr().err
