"""``graphvae train``: a data set or an edge list in, a run folder out, the same as ``save`` writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import graphvae as gv
from graphvae.cli import main

AWKWARD = ["ann", "O'Brien, Cid", "dân", "x y", "7", "07", '"q"', "", "1e3", "NULL", "née\tTab", "a;b"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def write_edges(path: str = "friends.csv", names: list[str] = AWKWARD) -> None:
    n = len(names)
    pairs = [(names[i], names[(i + step) % n]) for i in range(n) for step in (1, 3)]
    rows = ["src,dst,since", *(f"{quoted(a)},{quoted(b)},{i}" for i, (a, b) in enumerate(pairs))]
    Path(path).write_text("\n".join(rows) + "\n", encoding="utf-8")


def train(*arguments: str) -> None:
    assert main(["train", *arguments, "--quiet"]) == 0


def test_the_default_folder_names_data_model_and_seed():
    train("karate", "--epochs", "1")
    train("karate", "--epochs", "1", "--model", "gae", "--seed", "3")
    assert sorted(p.name for p in Path("runs").iterdir()) == ["karate-gae-3", "karate-vgae-0"]
    train("karate", "--epochs", "1", "--overwrite")


def test_it_is_what_the_estimator_does():
    train("lesmis", "--epochs", "3", "--latent-dim", "5", "--hidden-dims", "8,6", "--val", "0.1", "--seed", "2")
    split = gv.split_links(gv.load_graph("lesmis"), val=0.1, test=0.1, seed=2)
    model = gv.VGAE(epochs=3, latent_dim=5, hidden_dims=(8, 6), seed=2).fit(split)
    loaded = gv.load("runs/lesmis-vgae-2")
    assert loaded.get_params() == model.get_params()
    assert np.array_equal(loaded.embed().vectors, model.embed().vectors)
    metrics = json.loads(Path("runs/lesmis-vgae-2/metrics.json").read_text())
    assert metrics["test"] == model.evaluate().to_dict()
    assert metrics["val"] == model.evaluate(part="val").to_dict()


def test_every_option_reaches_the_estimator():
    train(
        *("digits-knn", "--out", "run", "--preset", "generative", "--epochs", "1", "--dropout", "0.25"),
        *("--beta", "0.5", "--kl-warmup", "3", "--learning-rate", "0.02", "--patience", "4", "--device", "cpu"),
        *("--objective", "sampled", "--latent-dim", "4", "--hidden-dims", "none"),
    )
    expected = gv.VGAE(
        **{"latent_dim": 4, "hidden_dims": (), "objective": "sampled", "prior": "features", "dropout": 0.25},
        **{"beta": 0.5, "kl_warmup": 3, "epochs": 1, "learning_rate": 0.02, "patience": 4, "device": "cpu"},
    )
    params = gv.load("run").get_params()
    assert params.pop("decoder").settings()["intercepts"] is True  # the preset's
    assert params == {name: value for name, value in expected.get_params().items() if name != "decoder"}


def test_features_of_a_data_set_can_be_left_out():
    train("digits-knn", "--no-features", "--epochs", "1", "--out", "run")
    loaded = gv.load("run")
    assert loaded.fitted.num_features == 0
    assert np.isfinite(loaded.elbo(samples=1))


@pytest.mark.parametrize("suffix", ["csv", "npz", "parquet", "tsv"])
def test_awkward_ids_go_from_file_to_file(suffix):
    """From the edge list through the run folder to the embeddings, as they were written."""
    names = [name for name in AWKWARD if name]  # an empty end is a bad row
    write_edges(names=names)
    train("friends.csv", "--source", "src", "--target", "dst", "--epochs", "2", "--out", "run")
    assert main(["embed", "run", "--to", f"out/people.{suffix}"]) == 0
    embeddings = gv.Embeddings.load(f"out/people.{suffix}")
    assert sorted(embeddings) == sorted(names)
    own = gv.load("run").embed()
    assert np.array_equal(embeddings.vectors, own.vectors)
    assert embeddings.ids.tolist() == own.ids.tolist()
    assert gv.load("run").predict_proba([("O'Brien, Cid", "07")]).shape == (1,)


def test_numbers_in_a_file_are_names():
    write_edges(names=["1", "01", "2", "10", "9", "1.0", "-3", "x"])
    train("friends.csv", "--source", "src", "--target", "dst", "--val", "0.1", "--epochs", "1", "--out", "run")
    loaded = gv.load("run")
    assert set(loaded.embed()) == {"1", "01", "2", "10", "9", "1.0", "-3", "x"}
    with pytest.raises(gv.InputError, match="are strings"):
        loaded.predict_proba([(1, 2)])


def test_a_row_with_an_empty_end_is_refused_or_dropped_as_told(capsys):
    write_edges()
    arguments = ["train", "friends.csv", "--source", "src", "--target", "dst", "--epochs", "1", "--out", "run"]
    assert main(arguments) == 2
    assert "bad_rows='drop'" in capsys.readouterr().err
    assert main([*arguments, "--bad-rows", "drop"]) == 0
    assert "dropped 4" in capsys.readouterr().err
    assert "" not in gv.load("run").embed()


def test_weights_and_features_of_files(capsys):
    write_edges(names=list("abcdefghij"))
    Path("people.csv").write_text("who,age\n" + "".join(f"{name},{i}\n" for i, name in enumerate("abcdefghijk")))
    train(
        *("friends.csv", "--source", "src", "--target", "dst", "--weight", "since", "--features", "people.csv"),
        *("--epochs", "1", "--out", "run"),
    )
    loaded = gv.load("run")
    assert len(loaded.embed()) == 11
    assert loaded.fitted.num_features == 1
    assert loaded.fitted.graph().edge_weight is not None
    assert np.isfinite(loaded.elbo())


def test_without_held_out_pairs_there_is_nothing_to_report(capsys):
    train("karate", "--val", "0", "--test", "0", "--epochs", "1", "--out", "run")
    assert "nothing to evaluate" in capsys.readouterr().out
    assert json.loads(Path("run/metrics.json").read_text()) == {"run": "run"}


def test_with_validation_alone_that_is_reported(capsys):
    train("karate", "--test", "0", "--epochs", "1", "--out", "run")
    assert "Link prediction on val: 3 edges" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["train", "karate"], ["quickstart"]])
def test_a_folder_that_is_taken_is_refused_before_training(command, monkeypatch, capsys):
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("all I have")
    monkeypatch.setattr(gv.VGAE, "fit", lambda *args, **kwargs: pytest.fail("trained"))
    assert main([*command, "--out", "mine"]) == 2
    assert "out='mine' exists" in capsys.readouterr().err


def test_quiet_leaves_the_bar_out(capsys):
    train("karate", "--epochs", "2", "--out", "a")
    assert "2/2" not in capsys.readouterr().err
    assert main(["train", "karate", "--epochs", "2", "--out", "b"]) == 0
    assert "2/2" in capsys.readouterr().err


def test_a_training_that_diverges_says_where_and_leaves_nothing(capsys):
    assert main(["train", "karate", "--learning-rate", "1e30", "--out", "run", "--quiet"]) == 1
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith("graphvae: error: epoch ")
    assert not Path("run").exists()


def test_another_delimiter():
    Path("friends.csv").write_text("src;dst\n" + "".join(f"{i};{(i + s) % 12}\n" for i in range(12) for s in (1, 3)))
    train("friends.csv", "--delimiter", ";", "--epochs", "1")
    assert gv.load("runs/friends-vgae-0").embed().ids.shape == (12,)


@pytest.mark.parametrize("data", ["./friends", "edges/friends", "."])
def test_what_looks_like_a_path_is_not_looked_up_as_a_name(data, capsys):
    assert main(["train", data]) == 2
    assert f"{data!r} is no file: expected a path to an edge list, or one of" in capsys.readouterr().err


@pytest.mark.parametrize("objective", ["kipf", "kipf:control-variate", "elbo:exact"])
def test_the_path_over_all_pairs_is_said(objective, capsys):
    train("karate", "--epochs", "1", "--objective", objective)
    path = objective.partition(":")[2] or "exact"
    assert f"objective {objective}, path {path}" in capsys.readouterr().err
    assert gv.load("runs/karate-vgae-0").fitted.path == path
