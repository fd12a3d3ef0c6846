"""Run folders: the same model back, whole or not at all, and only over what was a run."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae.estimators import run_folder
from graphvae.estimators.run_folder import FILES, FORMAT, check_target, load, read_config, save_run, write_metrics
from graphvae.nn import FeaturePrior, InnerProductDecoder

KARATE = gv.load_graph("karate")


@pytest.fixture(scope="module")
def split():
    return gv.split_links(KARATE, val=0.1, test=0.1, seed=0)


@pytest.fixture(scope="module")
def model(split):
    return gv.VGAE(epochs=4, latent_dim=5).fit(split)


@pytest.fixture
def run(model, tmp_path):
    return model.save(tmp_path / "run")


def edge_table(folder: Path) -> Path:
    """A CSV of edges between people with awkward names, and one of their features."""
    names = ["ann", "bob", "O'Brien, Cid", "dân", "x y", "7", "07", '"q"', "e", "f", "g", "h"]
    rng = np.random.default_rng(0)
    lines = ["src,dst"]
    for i in range(12):
        for j in (i + 1, i + 3):
            a, b = (f'"{names[k % 12]}"'.replace('""q""', '"""q"""') for k in (i, j))
            lines.append(f"{a},{b}")
    (folder / "edges.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = ["id,height,age"]
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        rows.append(f"{quoted},{rng.normal():.4f},{rng.normal():.4f}")
    (folder / "people.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "edges.csv"


def from_files(folder: Path) -> gv.Graph:
    return gv.Graph.from_edges(edge_table(folder), source="src", target="dst", features=folder / "people.csv")


# --- there and back --------------------------------------------------------------------------------------------------


def test_a_run_is_the_files_it_says(run, split):
    assert set(FILES) <= set(os.listdir(run))
    config = json.loads((run / "config.json").read_text())
    assert config["format"] == FORMAT
    assert config["estimator"] == "VGAE"
    assert config["params"]["latent_dim"] == 5
    assert config["fitted"]["split_hash"] == split.hash
    assert config["versions"]["torch"] == torch.__version__
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert stat.S_IMODE(run.stat().st_mode) == 0o755
    assert {stat.S_IMODE(file.stat().st_mode) for file in run.iterdir()} == {0o644}


def same(a, b) -> None:
    assert a.embed().ids.tolist() == b.embed().ids.tolist()
    assert np.array_equal(a.embed().vectors, b.embed().vectors)
    assert np.array_equal(a.embed().scale, b.embed().scale)
    every = np.stack(np.triu_indices(len(a.embed()), 1))
    assert np.array_equal(a.predict_proba(edge_label_index=every), b.predict_proba(edge_label_index=every))
    assert a.history == b.history
    assert str(a.calibration) == str(b.calibration)
    assert a.fitted.best_epoch == b.fitted.best_epoch


def test_everything_comes_back(model, run, split):
    loaded = load(run)
    same(loaded, model)
    assert loaded.get_params() == model.get_params()
    assert loaded.evaluate().to_dict() == model.evaluate().to_dict()
    assert loaded.evaluate(split, part="val").to_dict() == model.evaluate(part="val").to_dict()
    assert loaded.elbo() == model.elbo()
    assert loaded.log_marginal(samples=4) == model.log_marginal(samples=4)
    for source in ("prior", "posterior"):
        assert loaded.sample(seed=2, source=source).hash == model.sample(seed=2, source=source).hash
    assert np.array_equal(loaded.transform(KARATE), model.transform(KARATE))
    assert loaded.fitted.data().hash == split.hash
    assert torch.equal(loaded.fitted.graph().y, KARATE.y)


def test_what_is_loaded_can_be_saved_and_fitted_again(model, run, split, tmp_path):
    loaded = load(run)
    again = load(loaded.save(tmp_path / "again"))
    same(again, model)
    for name in FILES:
        if name != "embeddings.npz":  # a zip file tells the time
            assert (tmp_path / "again" / name).read_bytes() == (run / name).read_bytes()
    assert np.array_equal(loaded.fit(split).embed().vectors, model.embed().vectors)


def test_settings_of_decoder_and_prior_are_kept(tmp_path):
    graph = KARATE.replace(x=np.eye(34, 4, dtype=np.float32))
    decoder, prior = InnerProductDecoder(True, False, 0.3), FeaturePrior((6, 5), dropout=0.1)
    model = gv.VGAE(epochs=2, decoder=decoder, prior=prior, objective="elbo").fit(graph)
    loaded = load(model.save(tmp_path / "run"))
    assert loaded.decoder.settings() == decoder.settings()
    assert loaded.prior.settings() == prior.settings()
    same(loaded, model)
    assert loaded.elbo(graph) == model.elbo()


def test_numbers_of_numpy_can_be_saved(split, tmp_path):
    model = gv.VGAE(epochs=np.int64(2), hidden_dims=np.array([6]), learning_rate=np.float32(0.5), seed=np.uint8(3))
    loaded = load(model.fit(split).save(tmp_path / "run"))
    same(loaded, model)
    assert loaded.get_params()["hidden_dims"] == (6,)
    assert loaded.learning_rate == 0.5


def test_what_is_saved_is_what_was_fitted(split, tmp_path):
    """Not what the estimator has been set to since: those weights would not fit."""
    model = gv.VGAE(epochs=2).fit(split).set_params(latent_dim=3, epochs=1000)
    loaded = load(model.save(tmp_path / "run"))
    assert (loaded.latent_dim, loaded.epochs) == (16, 2)
    same(loaded, model)


def test_a_point_posterior_has_no_scale(split, tmp_path):
    loaded = load(gv.GAE(epochs=2).fit(split).save(tmp_path / "run"))
    assert isinstance(loaded, gv.GAE)
    assert loaded.embed().scale is None


def test_a_run_that_is_moved_still_works(model, run, tmp_path, monkeypatch):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    shutil.move(run, tmp_path / "deep" / "er" / "moved")
    monkeypatch.chdir(tmp_path / "deep")
    loaded = load("er/moved")
    same(loaded, model)
    assert loaded.evaluate().auc == model.evaluate().auc


def test_what_is_read_late_does_not_need_the_folder_any_more(model, run):
    loaded = load(str(run))
    shutil.rmtree(run)
    assert loaded.elbo() == model.elbo()


# --- features --------------------------------------------------------------------------------------------------------


def test_features_are_read_again_from_their_files(tmp_path, monkeypatch):
    graph = from_files(tmp_path)
    model = gv.VGAE(epochs=3, prior="features").fit(gv.split_links(graph, val=0.1, test=0.1))
    run = model.save(tmp_path / "run")
    monkeypatch.chdir("/")
    loaded = load(run)
    same(loaded, model)
    assert loaded.elbo() == model.elbo()
    assert loaded.sample(seed=1).hash == model.sample(seed=1).hash
    assert loaded.evaluate().to_dict() == model.evaluate().to_dict()
    assert loaded.predict_proba([("O'Brien, Cid", "07")]) == model.predict_proba([("O'Brien, Cid", "07")])


def test_features_that_have_changed_are_noticed(tmp_path):
    model = gv.VGAE(epochs=1).fit(from_files(tmp_path))
    loaded = load(model.save(tmp_path / "run"))
    people = tmp_path / "people.csv"
    people.write_text(people.read_text(encoding="utf-8").replace(",0.", ",1."), encoding="utf-8")
    with pytest.raises(gv.InputError, match=r"features read from .*people\.csv.* their hash differs"):
        loaded.elbo()
    same(loaded, model)


def test_features_that_are_gone_are_missed_only_where_they_are_needed(tmp_path):
    graph = from_files(tmp_path)
    model = gv.VGAE(epochs=1).fit(gv.split_links(graph, val=0.1, test=0.1))
    loaded = load(model.save(tmp_path / "run"))
    (tmp_path / "people.csv").unlink()
    same(loaded, model)
    assert loaded.sample(seed=1, source="posterior").pairs.shape[0] == 2
    for call in (loaded.elbo, loaded.evaluate):
        with pytest.raises(gv.InputError, match=r"people\.csv"):
            call()
    assert loaded.elbo(graph) == model.elbo(graph)


def test_features_of_memory_are_asked_for(tmp_path):
    graph = KARATE.replace(x=np.eye(34, 3, dtype=np.float32))
    split = gv.split_links(graph, val=0.1, test=0.1)
    model = gv.VGAE(epochs=2).fit(split)
    loaded = load(model.save(tmp_path / "run"))
    same(loaded, model)
    for call in (loaded.elbo, loaded.log_marginal, loaded.evaluate, loaded.sample):
        with pytest.raises(gv.InputError, match="the features of this run lived in memory only: pass the graph"):
            call()
    assert loaded.elbo(split.train) == model.elbo()
    assert loaded.evaluate(split).to_dict() == model.evaluate().to_dict()


# --- whole or not at all ---------------------------------------------------------------------------------------------


def test_an_existing_run_is_refused_unless_it_may_be_replaced(model, run, split):
    (run / "notes.txt").write_text("mine")
    before = (run / "config.json").read_bytes()
    with pytest.raises(gv.InputError, match=r"out='.*run' exists: expected a new folder, or overwrite"):
        model.save(run)
    assert (run / "config.json").read_bytes() == before
    gv.GAE(epochs=1).fit(split).save(run, overwrite=True)
    assert read_config(run)["estimator"] == "GAE"
    assert not (run / "notes.txt").exists()
    assert os.listdir(run.parent) == ["run"]


def foreign_folders(folder: Path) -> dict[str, Path]:
    made = {name: folder / name for name in ("thesis", "package", "list", "broken", "binary")}
    for path in made.values():
        path.mkdir()
        (path / "precious.txt").write_text("all I have")
    (made["package"] / "config.json").write_text('{"name": "app", "format": 3, "estimator": "none"}')
    (made["list"] / "config.json").write_text("[1]")
    (made["broken"] / "config.json").write_text("{")
    (made["binary"] / "config.json").write_bytes(b"\x80\x04\x95")
    made["file"] = folder / "file"
    made["file"].write_text("all I have")
    return made


def test_what_is_no_run_is_never_overwritten(model, tmp_path):
    for path in foreign_folders(tmp_path).values():
        before = sorted((str(p), p.read_bytes()) for p in [path, *path.rglob("*")] if p.is_file())
        with pytest.raises(gv.InputError, match="is not a run folder: it will not be overwritten"):
            model.save(path, overwrite=True)
        assert before == sorted((str(p), p.read_bytes()) for p in [path, *path.rglob("*")] if p.is_file())


def test_an_empty_folder_may_be_filled_if_asked(model, tmp_path):
    with pytest.raises(gv.InputError, match="exists"):
        model.save(tmp_path)
    (tmp_path / "empty").mkdir()
    same(load(model.save(tmp_path / "empty", overwrite=True)), model)


def test_a_run_of_a_later_format_is_a_run_and_may_be_replaced(model, run):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "format": 99}))
    same(load(model.save(run, overwrite=True)), model)


def test_a_file_where_a_folder_should_be_is_refused_before_training(model, tmp_path):
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "file" / "run", tmp_path / "file" / "a" / "b"):
        with pytest.raises(gv.InputError, match=r"file is no folder that can be written to"):
            check_target(target, overwrite=True)
        with pytest.raises(gv.InputError, match="no folder"):
            model.save(target)


STEPS = ["graph_to_tensors", "write_text", "_config", "_put"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_save_that_fails_leaves_nothing(model, tmp_path, monkeypatch, step, error):
    def fail(*args, **kwargs):
        raise error("disk full")

    monkeypatch.setattr(run_folder, step, fail)
    with pytest.raises(error):
        model.save(tmp_path / "run")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("step", STEPS)
def test_a_save_that_fails_leaves_the_old_run(model, run, split, monkeypatch, step):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    other = gv.GAE(epochs=1).fit(split)
    with monkeypatch.context() as patch:
        patch.setattr(run_folder, step, fail)
        with pytest.raises(OSError, match="disk full"):
            other.save(run, overwrite=True)
    assert os.listdir(run.parent) == ["run"]
    same(load(run), model)


def test_a_run_that_has_made_way_comes_back(model, run, split, monkeypatch):
    """The last step of two: the old run is aside already, and the new one cannot be put in its place."""
    replace = os.replace
    done = []

    def fail(source, target):
        if Path(target) == run and ".old." not in str(source):
            raise OSError("device gone")
        done.append((Path(source), Path(target)))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="device gone"):
            gv.GAE(epochs=1).fit(split).save(run, overwrite=True)
    aside = done[-2][1]
    assert done[-2:] == [(run, aside), (aside, run)]
    assert os.listdir(run.parent) == ["run"]
    same(load(run), model)


def test_of_two_that_write_at_the_same_time_one_is_refused(model, run, split, tmp_path, monkeypatch):
    """The second has passed the check before the first had put its run in place."""
    late = gv.GAE(epochs=1).fit(split)
    monkeypatch.setattr(run_folder, "check_target", once(check_target))
    with pytest.raises(gv.InputError, match="exists"):
        late.save(run)
    assert os.listdir(tmp_path) == ["run"]
    same(load(run), model)


def once(check):
    """``check``, but its first call sees nothing."""
    calls = []

    def wrapped(*args, **kwargs):
        calls.append(args)
        if len(calls) > 1:
            check(*args, **kwargs)

    return wrapped


def test_a_run_that_is_gone_while_it_is_replaced_leaves_nothing(model, run, monkeypatch):
    replace = os.replace

    def gone(source, target):
        if Path(source) == run:
            shutil.rmtree(run)
        replace(source, target)

    monkeypatch.setattr(os, "replace", gone)
    with pytest.raises(FileNotFoundError):
        model.save(run, overwrite=True)
    assert os.listdir(run.parent) == []


def test_the_current_folder_is_not_replaced(model, run, monkeypatch):
    monkeypatch.chdir(run)
    for target in (".", run):
        with pytest.raises(gv.InputError, match="is the current folder"):
            model.save(target, overwrite=True)
    assert os.listdir(run.parent) == ["run"]


@pytest.mark.parametrize("path", [None, 3, "", b"run"])
def test_paths_are_paths(model, path):
    for call in (model.save, load):
        with pytest.raises(gv.InputError, match=r"path=.*: expected the path of a run folder"):
            call(path)


def test_unfitted_models_have_nothing_to_save(tmp_path):
    with pytest.raises(gv.InputError, match="not fitted"):
        save_run(gv.VGAE(), tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_metrics_are_json_without_nan(run):
    write_metrics(run, {"test": {"auc": 0.5}})
    assert json.loads((run / "metrics.json").read_text()) == {"test": {"auc": 0.5}}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_metrics(run, {"auc": float("nan")})
    assert json.loads((run / "metrics.json").read_text()) == {"test": {"auc": 0.5}}


# --- what is no whole run --------------------------------------------------------------------------------------------


def test_folders_that_are_no_runs(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(gv.InputError, match=r"is not a run folder: it has no config\.json"):
            load(folder)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_missing_file_is_named(run, name):
    (run / name).unlink()
    with pytest.raises(gv.InputError, match=rf"{name} is missing: expected a complete run folder"):
        load(run)


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_other_formats_are_refused_by_number(run, version):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "format": version}))
    with pytest.raises(gv.InputError, match=rf"config\.json has format {version!r}: .* reads format 1"):
        load(run)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "other"])
def test_a_damaged_file_is_named(run, name, damage):
    content = (run / name).read_bytes()
    other = (run / ("weights.safetensors" if name != "weights.safetensors" else "config.json")).read_bytes()
    damaged = {"empty": b"", "cut": content[:-10], "noise": b"\xff\x00" * 40, "other": other}[damage]
    (run / name).write_bytes(damaged)
    if name == "history.jsonl" and damage == "empty":
        assert load(run).history == []
        return
    with pytest.raises(gv.InputError) as error:
        load(run)
    assert str(run / name) in str(error.value)


def test_every_field_of_the_config_is_missed_by_the_files_name(run):
    text = (run / "config.json").read_text()
    config = json.loads(text)
    edits = [lambda c, k=key: c.pop(k) for key in ("estimator", "params", "fitted")]
    edits += [lambda c, k=key: c["fitted"].pop(k) for key in config["fitted"]]
    edits += [lambda c, k=key: c["fitted"].update({k: "x"}) for key in ("num_nodes", "num_features", "calibration")]
    edits += [
        lambda c: c.update(estimator="VGEA"),
        lambda c: c.update(estimator=["VGAE"]),
        lambda c: c.update(params=[1]),
        lambda c: c["params"].update(unheard_of=1),
        lambda c: c["params"].update(latent_dim=-1),
        lambda c: c["params"].update(decoder={"name": "inner_product", "unheard_of": 1}),
        lambda c: c["fitted"].update(num_nodes=10**15),
        lambda c: c["fitted"]["calibration"].update(scale=-1),
    ]
    for edit in edits:
        changed = json.loads(text)
        edit(changed)
        (run / "config.json").write_text(json.dumps(changed))
        with pytest.raises(gv.InputError, match=r"config\.json"):
            load(run)
    (run / "config.json").write_text(text)
    assert load(run).latent_dim == 5


def test_a_run_whose_calibration_is_a_scale_and_a_bias_loads(run):
    """As every run had it that was fitted with validation pairs before there was another."""
    config = json.loads((run / "config.json").read_text())
    fields = {"scale": 0.5, "bias": -3.0, "method": "platt", "density": config["fitted"]["density"]}
    config["fitted"]["calibration"] = fields
    (run / "config.json").write_text(json.dumps(config))
    loaded = load(run)
    assert loaded.calibration.to_dict() == fields
    assert np.isfinite(loaded.predict_proba(edge_label_index=np.array([[0], [1]]))).all()


def test_files_of_different_runs_do_not_mix(run, split, tmp_path):
    others = {
        "weights.safetensors": gv.VGAE(epochs=1, latent_dim=6).fit(split),
        "embeddings.npz": gv.GAE(epochs=1, latent_dim=5).fit(split),
        "graph.safetensors": gv.VGAE(epochs=1, latent_dim=5).fit(gv.load_graph("lesmis")),
    }
    for name, other in others.items():
        mixed = shutil.copytree(run, tmp_path / f"mixed {name}")
        shutil.copy(other.save(tmp_path / f"other {name}") / name, mixed / name)
        with pytest.raises(gv.InputError, match=r"safetensors|embeddings\.npz"):
            load(mixed)


def test_another_split_of_the_same_graph_is_noticed_when_it_is_evaluated(run, tmp_path):
    """Otherwise the training edges of one run would be the test edges of another."""
    other = gv.VGAE(epochs=1, latent_dim=5).fit(gv.split_links(KARATE, val=0.1, test=0.1, seed=1))
    shutil.copy(other.save(tmp_path / "other") / "graph.safetensors", run / "graph.safetensors")
    with pytest.raises(gv.InputError, match="is not that of the fitted split"):
        load(run).evaluate()


@pytest.mark.parametrize("device", ["gpu", "meta", 3.5])
def test_devices_are_checked(run, device):
    with pytest.raises(gv.InputError, match="device="):
        load(run, device=device)


# --- features of a table ---------------------------------------------------------------------------------------------


def mixed_files(folder: Path) -> gv.Graph:
    edge_table(folder)
    ids = [line.split('",')[0] + '"' for line in (folder / "people.csv").read_text(encoding="utf-8").splitlines()[1:]]
    rows = [
        f"{name},{i if i % 5 else ''},{'red' if i % 2 else 'blue'},tale {i % 3} of cities" for i, name in enumerate(ids)
    ]
    (folder / "mixed.csv").write_text("\n".join(["id,age,colour,bio", *rows]) + "\n", encoding="utf-8")
    kinds = {"bio": "text"}
    return gv.Graph.from_edges(folder / "edges.csv", features=folder / "mixed.csv", feature_kinds=kinds)


def test_how_features_were_made_lies_in_the_run_and_comes_back(tmp_path):
    graph = mixed_files(tmp_path)
    split = gv.split_links(graph, val=0.1, test=0.1)
    model = gv.VGAE(epochs=2).fit(split)
    run = model.save(tmp_path / "run")
    stored = json.loads((run / "features.json").read_text(encoding="utf-8"))
    assert [column["kind"] for column in stored["columns"]] == ["numeric", "category", "text"]
    loaded = gv.load(run)
    assert loaded.fitted.graph().encoding == graph.encoding
    assert loaded.fitted.data().hash == split.hash
    same(model, loaded)
    again = gv.load(loaded.save(tmp_path / "again"))
    assert again.fitted.graph().encoding == graph.encoding
    new = gv.Graph.from_edges(tmp_path / "edges.csv", features=tmp_path / "mixed.csv", encoding=run)
    assert new.hash == graph.hash


def test_a_run_without_a_table_has_no_such_file(run):
    assert not (run / "features.json").exists()


def test_a_damaged_encoding_is_named(tmp_path):
    run = gv.VGAE(epochs=1).fit(mixed_files(tmp_path)).save(tmp_path / "run")
    (run / "features.json").write_text("{}")
    with pytest.raises(gv.InputError, match=r"features\.json: expected the encoding of features"):
        load(run)
