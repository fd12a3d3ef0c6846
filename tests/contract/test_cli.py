"""Every command keeps one contract: results on stdout, all else on stderr; bad input is one line and status 2."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import graphvae
from graphvae.cli import main
from graphvae.cli.app import app


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of its own with a few files in it, and no data folder but the embedded sets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHVAE_DATA", str(tmp_path / "nowhere"))
    Path("friends.csv").write_text("src,dst,since\nann,bob,1\nbob,cid,2\ncid,dan,3\ndan,ann,4\nann,eve,5\neve,fay,6\n")
    Path("people.csv").write_text("id,age\n" + "".join(f"{n},{len(n) + i}\n" for i, n in enumerate("abc")))
    Path("empty.csv").write_text("")
    Path("header.csv").write_text("src,dst\n")
    Path("loops.csv").write_text("src,dst\nann,ann\nann,bob\n")
    Path("ragged.csv").write_text("src,dst\nann,bob\nann\n")
    Path("binary.csv").write_bytes(bytes(range(256)) * 4)
    Path("taken").mkdir()
    (tmp_path / "taken" / "precious.txt").write_text("all I have")
    return tmp_path


def invoke(*arguments: str) -> int:
    return main(list(arguments))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    target = tmp_path_factory.mktemp("trained") / "run"
    assert invoke("train", "karate", "--epochs", "2", "--out", str(target), "--quiet") == 0
    return target


@pytest.fixture
def run(folder, trained):
    return shutil.copytree(trained, "run")


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


BAD = {
    "no such command": (["trian"], "trian"),
    "no such subcommand": (["datasets", "lst"], "lst"),
    "no subcommand": (["datasets"], "Missing command"),
    "no argument": (["train"], "Missing argument"),
    "too many arguments": (["train", "karate", "lesmis"], "lesmis"),
    "unknown option": (["train", "karate", "--epoch", "3"], "--epoch"),
    "unknown option elsewhere": (["quickstart", "--model", "gae"], "--model"),
    "unknown data set": (["train", "karat"], "did you mean 'karate'"),
    "missing file": (["train", "frends.csv"], "'frends.csv' is no file"),
    "folder for a file": (["train", "taken"], "'taken'"),
    "empty name": (["train", ""], "karate"),
    "no number": (["train", "karate", "--epochs", "many"], "--epochs"),
    "no whole number": (["train", "karate", "--epochs", "1.5"], "--epochs"),
    "number out of range": (["train", "karate", "--epochs", "0"], "epochs=0"),
    "share out of range": (["train", "karate", "--val", "1.5"], "val=1.5"),
    "shares that leave nothing": (["train", "karate", "--val", "0.5", "--test", "0.5"], "add up to 1"),
    "share too small": (["train", "karate", "--test", "0.001"], "less than one edge"),
    "not a number": (["train", "karate", "--learning-rate", "nan"], "learning_rate=nan"),
    "negative seed": (["train", "karate", "--seed", "-1"], "seed=-1"),
    "unknown model": (["train", "karate", "--model", "vage"], "did you mean"),
    "sample of nothing": (["sample", "nowhere", "--to", "x.npy"], "nowhere"),
    "plot of nothing": (["plot", "nowhere"], "nowhere"),
    "comparison of nothing": (["compare", "nowhere"], "nowhere"),
    "unknown preset": (["train", "karate", "--preset", "papr"], "did you mean 'paper'"),
    "preset of another model": (["train", "karate", "--model", "gae", "--preset", "paper"], "--model vgae only"),
    "argument of another model": (["train", "karate", "--model", "gae", "--beta", "2"], "no argument 'beta'"),
    "unknown objective": (["train", "karate", "--objective", "elbow"], "did you mean 'elbo'"),
    "unknown prior": (["train", "karate", "--prior", "feature"], "did you mean 'features'"),
    "prior without features": (["train", "karate", "--prior", "features"], "the graph has no features"),
    "widths that are none": (["train", "karate", "--hidden-dims", "32;16"], "--hidden-dims='32;16'"),
    "width of zero": (["train", "karate", "--hidden-dims", "32,0"], "hidden_dims=0"),
    "unknown device": (["train", "karate", "--device", "gpu"], "device='gpu'"),
    "patience without validation": (["train", "karate", "--patience", "3", "--val", "0"], "patience=3"),
    "settings that are missing": (["train", "karate", "--config", "rnu.toml"], "--config='rnu.toml': no such file"),
    "settings that are none": (["train", "karate", "--config", "friends.csv"], "--config='friends.csv': expected TOML"),
    "existing folder": (["train", "karate", "--out", "taken"], "'taken' exists"),
    "existing folder to overwrite": (["train", "karate", "--out", "taken", "--overwrite"], "not a run folder"),
    "folder below a file": (["train", "karate", "--out", "friends.csv/run"], "no folder that can be written"),
    "column of a data set": (["train", "karate", "--source", "src"], "--source='src': karate is a data set"),
    "wrong column": (["train", "friends.csv", "--source", "from", "--target", "dst"], "'from'"),
    "no columns chosen": (["train", "friends.csv"], "source"),
    "one column twice": (["train", "friends.csv", "--source", "src", "--target", "src"], "src"),
    "features without a row": (
        ["train", "friends.csv", "--source", "src", "--target", "dst", "--features", "people.csv"],
        "features",
    ),
    "features that are missing": (
        ["train", "friends.csv", "--source", "src", "--target", "dst", "--features", "poeple.csv"],
        "poeple.csv",
    ),
    "features left out of a file": (["train", "friends.csv", "--no-features"], "--no-features"),
    "unknown way with loops": (["train", "loops.csv", "--self-loops", "keep"], "self_loops='keep'"),
    "empty file": (["train", "empty.csv"], "empty.csv"),
    "no edges": (["train", "header.csv"], "edge"),
    "self-loop": (["train", "loops.csv"], "self-loop"),
    "ragged file": (["train", "ragged.csv"], "edges row 2 has 1 fields"),
    "binary file": (["train", "binary.csv"], "binary.csv"),
    "nothing to resume": (["resume", "nothing"], "'nothing' has no checkpoint.safetensors"),
    "a finished run to resume": (["resume", "run"], "'run' is a run that is finished"),
    "no run": (["evaluate", "taken"], "'taken' is not a run folder"),
    "no folder": (["evaluate", "nothing"], "'nothing' is not a run folder"),
    "no run to embed": (["embed", "nothing", "--to", "x.csv"], "'nothing' is not a run folder"),
    "no target": (["embed", "run"], "--to"),
    "unknown format": (["embed", "run", "--to", "x.xls"], "x.xls"),
    "target below a file": (["embed", "run", "--to", "friends.csv/x.csv"], "friends.csv"),
    "features of no edges": (["embed", "run", "--to", "x.csv", "--features", "people.csv"], "--features='people.csv'"),
    "new nodes without features": (["embed", "run", "friends.csv", "--to", "x.csv"], "cannot embed others"),
    "no run to recommend from": (["recommend", "nothing"], "'nothing' is not a run folder"),
    "unknown node": (["recommend", "run", "--node", "34"], "--node='34' is not in the graph of 34 nodes"),
    "no links": (["recommend", "run", "-k", "0"], "-k=0"),
    "a node and all": (["recommend", "run", "--node", "1", "--all"], "expected one of them"),
    "links to an unknown format": (["recommend", "run", "--to", "x.xls"], "x.xls"),
    "no run to probe": (["probe", "nothing"], "'nothing' is not a run folder"),
    "labels that are missing": (["probe", "run", "--labels", "labls.csv"], "labls.csv"),
    "labels of others": (["probe", "run", "--labels", "people.csv"], "'id'"),
    "a column of no file": (["probe", "run", "--label", "age"], "expected with --labels only"),
    "runs of nowhere": (["runs", "nowhere"], "'nowhere' is no folder"),
    "unknown part": (["evaluate", "run", "--part", "tst"], "did you mean 'test'"),
    "negative samples": (["evaluate", "run", "--samples", "-1"], "--samples=-1"),
    "unknown calibration": (["evaluate", "run", "--calibration", "isotone"], "did you mean 'isotonic'"),
    "negative bootstrap": (["evaluate", "run", "--bootstrap", "-1"], "bootstrap=-1"),
    "unknown source": (["evaluate", "run", "--samples", "1", "--source", "prio"], "did you mean 'prior'"),
    "unknown benchmark model": (["benchmark", "--datasets", "karate", "--models", "vgea"], "did you mean 'vgae'"),
    "unknown benchmark data": (["benchmark", "--datasets", "karat", "--models", "katz"], "did you mean 'karate'"),
    "no benchmark data": (["benchmark", "--datasets", "", "--models", "katz"], "name=''"),
    "no benchmark runs": (["benchmark", "--datasets", "karate", "--models", "katz", "--runs", "0"], "runs=0"),
    "no benchmark test": (["benchmark", "--datasets", "karate", "--models", "katz", "--test", "0"], "test=0"),
    "no benchmark jobs": (["benchmark", "--datasets", "karate", "--models", "katz", "--jobs", "0"], "jobs=0"),
    "benchmark of settings alone": (
        ["benchmark", "--datasets", "karate", "--models", "epochs=3"],
        "before its setting",
    ),
    "benchmark of an unknown setting": (
        ["benchmark", "--datasets", "karate", "--models", "vgae,epoch=3"],
        "no argument 'epoch'",
    ),
    "benchmark kept in a file": (
        ["benchmark", "--datasets", "karate", "--models", "katz", "--store", "friends.csv"],
        "store='friends.csv' is a file",
    ),
    "benchmark into a folder": (["benchmark", "--datasets", "karate", "--models", "katz", "--out", "taken"], "taken"),
    "check of nothing": (["check", "nowhere.csv"], "no such file"),
    "check of what is no split": (["check", "friends.csv"], "source="),
    "check of no run": (["check", "taken"], "no graph.safetensors"),
    "unknown data to verify": (["datasets", "verify", "coar"], "did you mean 'cora'"),
    "unknown data to fetch": (["datasets", "fetch", "coar"], "did you mean 'cora'"),
    "missing data to verify": (["datasets", "verify", "cora"], "6 of 6 files are not as their cards say"),
    "quickstart over another's folder": (["quickstart", "--out", "taken"], "'taken' exists"),
    "quickstart over another run": (["quickstart", "--out", "run"], "'run' exists"),
    "quickstart without training": (["quickstart", "--epochs", "0", "--out", "q"], "epochs=0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2_and_leaves_no_trace(case, run, folder, capsys):
    arguments, hint = BAD[case]
    before = listing(folder)
    status = invoke(*arguments)
    out, err = capsys.readouterr()
    assert status == 2
    errors = [line for line in err.splitlines() if line.startswith("graphvae: error: ")]
    assert err.splitlines()[-1:] == errors
    assert hint in errors[0]
    assert "Traceback" not in err
    if case != "missing data to verify":  # which is a result, and prints it
        assert out == ""
    assert listing(folder) == before


def test_the_table_has_a_case_for_every_command(run, capsys):
    commands = {command.name for command in app.registered_commands} | {"datasets"}
    assert {arguments[0] for arguments, _ in BAD.values()} >= commands


REPORTS = {
    "train": ["train", "lesmis", "--epochs", "2", "--out", "new", "--json"],
    "train without held-out pairs": ["train", "karate", "--epochs", "1", "--val", "0", "--test", "0", "--json"],
    "train prints settings": ["train", "karate", "--preset", "strong", "--print-config", "--json"],
    "evaluate": ["evaluate", "run", "--json"],
    "evaluate val": ["evaluate", "run", "--part", "val", "--json"],
    "evaluate samples": ["evaluate", "run", "--samples", "2", "--json"],
    "recommend": ["recommend", "run", "-k", "3", "--json"],
    "probe": ["probe", "run", "--json"],
    "runs": ["runs", ".", "--json"],
    "benchmark": ["benchmark", "--datasets", "karate", "--models", "katz", "--runs", "1", "--json"],
    "datasets list": ["datasets", "list", "--json"],
    "datasets verify": ["datasets", "verify", "karate", "lesmis", "--json"],
    "quickstart": ["quickstart", "--epochs", "1", "--out", "quick", "--json"],
}


@pytest.mark.parametrize("name", REPORTS)
def test_json_is_all_there_is_on_stdout(name, run, capsys):
    assert invoke(*REPORTS[name]) == 0
    out, _ = capsys.readouterr()
    data = json.loads(out, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert data


@pytest.mark.parametrize("name", REPORTS)
def test_without_json_the_result_is_text_on_stdout(name, run, capsys):
    assert invoke(*REPORTS[name][:-1]) == 0
    out, _ = capsys.readouterr()
    assert out.strip()
    with pytest.raises(json.JSONDecodeError):
        json.loads(out)


def test_what_is_no_result_is_on_stderr(run, capsys):
    assert invoke("train", "karate", "--epochs", "2", "--out", "b", "--json") == 0
    out, err = capsys.readouterr()
    assert "2/2" in err
    assert "written to b" in err
    assert "written to" not in out
    assert invoke("embed", "run", "--to", "e.csv") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "34 embeddings of dimension 16 written to e.csv" in err


@pytest.mark.parametrize("command", [[], ["train"], ["datasets"], ["datasets", "list"], ["quickstart"]])
def test_help_is_on_stdout(command, capsys):
    assert invoke(*command, "--help") == 0
    out, err = capsys.readouterr()
    assert "Usage: graphvae" in out
    assert err == ""


def process(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(graphvae.__file__).parents[1])}
    command = [sys.executable, "-m", "graphvae", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **options)


def test_the_status_is_that_of_the_process(folder):
    good = process("train", "karate", "--epochs", "1", "--json")
    assert good.returncode == 0
    assert json.loads(good.stdout)["run"] == os.path.join("runs", "karate-vgae-0")
    bad = process("evaluate", "nothing")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr == "graphvae: error: 'nothing' is not a run folder: it has no config.json\n"
