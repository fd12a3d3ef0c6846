"""One schema for flags and ``--config``: the same values, the same refusals, and what is printed is read back."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphvae as gv
from graphvae.cli import main
from graphvae.cli.images import IMAGE_MODELS
from graphvae.cli.settings import MANNERS, READERS, _kinds, to_toml
from graphvae.cli.train import train
from graphvae.estimators.vgae import PRESETS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = "abcdefghij"
    rows = [f"{names[i]};{names[(i + s) % 10]};{1 + i % 3}" for i in range(10) for s in (1, 3)]
    Path("e.csv").write_text("\n".join(["from;to;w", *rows]) + "\n")
    Path("p.csv").write_text(
        "\n".join(["zip;name", *(f"{7000 + i % 3};{name}" for i, name in enumerate(names))]) + "\n"
    )
    return tmp_path


def resolved(*arguments: str, capsys) -> dict:
    assert main(["train", *arguments, "--print-config", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


# Every setting: the data and model it is of, its flag, and the same in a file.
SAME = {
    "model": (["karate"], ["--model", "gae"], 'model = "gae"'),
    "preset": (["karate"], ["--preset", "strong"], 'preset = "strong"'),
    "epochs": (["karate"], ["--epochs", "3"], "epochs = 3"),
    "latent_dim": (["karate"], ["--latent-dim", "3"], "latent_dim = 3"),
    "hidden_dims": (["karate"], ["--hidden-dims", "8,4"], "hidden_dims = [8, 4]"),
    "objective": (
        ["karate"],
        ["--objective", '{ name = "masked", rate = 0.2 }'],
        'objective = { name = "masked", rate = 0.2 }',
    ),
    "prior": (["karate"], ["--prior", "normal"], 'prior = "normal"'),
    "encoder": (["karate"], ["--encoder", "{name='hops', hops=3}"], '[encoder]\nname = "hops"\nhops = 3'),
    "decoder": (["karate"], ["--decoder", "mlp"], 'decoder = "mlp"'),
    "structure": (["karate"], ["--structure", "walks"], 'structure = "walks"'),
    "dropout": (["karate"], ["--dropout", "0.5"], "dropout = 0.5"),
    "beta": (["karate"], ["--beta", "2"], "beta = 2"),
    "kl_warmup": (["karate"], ["--kl-warmup", "9"], "kl_warmup = 9"),
    "learning_rate": (["karate"], ["--learning-rate", "0.1,0.01"], "learning_rate = [0.1, 0.01]"),
    "patience": (["karate"], ["--patience", "7"], "patience = 7"),
    "posterior": (["karate"], ["--posterior", "flow"], 'posterior = "flow"'),
    "likelihood": (["digits", "--model", "vae"], ["--likelihood", "bernoulli"], 'likelihood = "bernoulli"'),
    "network": (["digits", "--model", "vae"], ["--network", "conv"], 'network = "conv"'),
    "free_bits": (["digits", "--model", "vae"], ["--free-bits", "0.1"], "free_bits = 0.1"),
    "binarize": (
        ["digits", "--model", "vae", "--likelihood", "bernoulli"],
        ["--binarize", "threshold"],
        'binarize = "threshold"',
    ),
    "samples": (["karate"], ["--samples", "2"], "samples = 2"),
    "batch_size": (["digits", "--model", "vae"], ["--batch-size", "9"], "batch_size = 9"),
    "classifier_weight": (["digits", "--model", "m2"], ["--classifier-weight", "2"], "classifier_weight = 2"),
    "device": (["karate"], ["--device", "cpu"], 'device = "cpu"'),
    "val": (["karate"], ["--val", "0.2"], "val = 0.2"),
    "test": (["karate"], ["--test", "0.2"], "test = 0.2"),
    "protocol": (["karate"], ["--protocol", "connected"], 'protocol = "connected"'),
    "time": (["e.csv"], ["--time", "w"], 'time = "w"'),
    "split": (["karate"], ["--split", "e.csv"], 'split = "e.csv"'),
    "seed": (["karate"], ["--seed", "3"], "seed = 3"),
    "out": (["karate"], ["--out", "here"], 'out = "here"'),
    "overwrite": (["karate"], ["--overwrite"], "overwrite = true"),
    "no_features": (["digits-knn"], ["--no-features"], "no_features = true"),
    "source": (["e.csv"], ["--source", "from"], 'source = "from"'),
    "target": (["e.csv"], ["--target", "to"], 'target = "to"'),
    "weight": (["e.csv"], ["--weight", "w"], 'weight = "w"'),
    "features": (["e.csv"], ["--features", "p.csv"], 'features = "p.csv"'),
    "feature_id": (["e.csv"], ["--feature-id", "name"], 'feature_id = "name"'),
    "feature_kinds": (["e.csv"], ["--feature-kinds", '{ zip = "category" }'], '[feature_kinds]\nzip = "category"'),
    "self_loops": (["e.csv"], ["--self-loops", "drop"], 'self_loops = "drop"'),
    "duplicates": (["e.csv"], ["--duplicates", "sum"], 'duplicates = "sum"'),
    "bad_rows": (["e.csv"], ["--bad-rows", "drop"], 'bad_rows = "drop"'),
    "id_dtype": (["e.csv"], ["--id-dtype", "str"], 'id_dtype = "str"'),
    "delimiter": (["e.csv"], ["--delimiter", ";"], 'delimiter = ";"'),
}


def test_every_setting_is_among_the_cases():
    settings = set(_kinds(train))
    assert settings == set(SAME) | {"data"}
    assert settings | MANNERS - {"return"} == set(inspect.signature(train).parameters)
    assert set(READERS) <= settings
    for estimator in (gv.VGAE, gv.GAE, gv.AE, gv.VAE, gv.CVAE, gv.SemiSupervisedVAE):
        assert set(inspect.signature(estimator).parameters) <= settings


@pytest.mark.parametrize("name", SAME)
def test_a_flag_and_a_key_say_the_same(name, capsys):
    start, flags, text = SAME[name]
    plain = resolved(*start, capsys=capsys)
    by_flag = resolved(*start, *flags, capsys=capsys)
    assert by_flag != plain
    Path("run.toml").write_text(text + "\n")
    assert resolved(*start, "--config", "run.toml", capsys=capsys) == by_flag


def test_flags_come_before_the_file_and_the_file_before_presets(capsys):
    Path("run.toml").write_text('data = "lesmis"\npreset = "strong"\nepochs = 5\nseed = 4\n')
    found = resolved("karate", "--config", "run.toml", "--seed", "6", capsys=capsys)
    assert (found["data"], found["epochs"], found["seed"], found["latent_dim"]) == ("karate", 5, 6, 128)
    assert found["out"] == str(Path("runs") / "karate-vgae-6")
    found = resolved("--config", "run.toml", "--preset", "paper", "--patience", "none", capsys=capsys)
    assert (found["data"], found["epochs"], found["latent_dim"], found["patience"]) == ("lesmis", 5, 16, None)


RUNS = {
    **{f"preset {name}": ["karate", "--preset", name] for name in PRESETS if name != "generative"},
    "preset generative": ["digits-knn", "--preset", "generative"],
    "gae": ["karate", "--model", "gae", "--val", "0"],
    **{name: ["digits", "--model", name, "--test", "0.3"] for name in IMAGE_MODELS},
    "a file": [
        *("e.csv", "--source", "from", "--target", "to", "--weight", "w", "--delimiter", ";", "--seed", "2"),
        *("--features", "p.csv", "--feature-id", "name", "--feature-kinds", '{ zip = "category" }'),
        *("--encoder", '{ name = "hops", width = 8 }', "--decoder", '{ name = "mlp", width = 4 }'),
    ],
}


@pytest.mark.parametrize("name", RUNS)
def test_what_is_printed_is_the_same_run(name, capsys):
    arguments = [*RUNS[name], "--epochs", "2"]
    assert main(["train", *arguments, "--print-config"]) == 0
    printed = capsys.readouterr().out
    Path("run.toml").write_text(printed, encoding="utf-8")
    assert main(["train", "--config", "run.toml", "--print-config"]) == 0
    assert capsys.readouterr().out == printed
    if name in ("preset generative", "cvae", "m2", "ae"):
        return  # like others, and seconds each
    assert main(["train", "--config", "run.toml", "--out", "one", "--quiet"]) == 0
    assert main(["train", *arguments, "--out", "two", "--quiet"]) == 0
    one, two = (json.loads(Path(run, "config.json").read_text()) for run in ("one", "two"))
    assert one["params"] == two["params"]
    assert Path("one/weights.safetensors").read_bytes() == Path("two/weights.safetensors").read_bytes()
    one, two = (json.loads(Path(run, "metrics.json").read_text()) for run in ("one", "two"))
    assert {**one, "run": ""} == {**two, "run": ""}


def test_printing_trains_and_writes_nothing(folder, monkeypatch, capsys):
    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(gv.VGAE, "fit", lambda *args, **kwargs: pytest.fail("trained"))
    assert main(["train", "karate", "--print-config"]) == 0
    assert sorted(folder.rglob("*")) == before
    assert capsys.readouterr().err == ""


REFUSED = {
    "no TOML": ("epochs = = 3", "--config='run.toml': expected TOML"),
    "an unknown key": ("epoch = 3", "run.toml: epoch=3: no such setting; expected one of data, model"),
    "a hint": ("epoch = 3", "did you mean 'epochs'?"),
    "a dash": ("latent-dim = 3", "did you mean 'latent_dim'?"),
    "a manner": ("quiet = true", "run.toml: quiet=True: no such setting"),
    "another kind": ('epochs = "many"', "run.toml: epochs='many': expected an integer"),
    "a fraction": ("epochs = 1.5", "run.toml: epochs=1.5: expected an integer"),
    "true for a number": ("epochs = true", "run.toml: epochs=True: expected an integer"),
    "text for a number": ('dropout = "0.5"', "run.toml: dropout='0.5': expected a number"),
    "a number for text": ("device = 3", "run.toml: device=3: expected a text"),
    "a number for a path": ("out = 3", "run.toml: out=3: expected a path"),
    "text for a switch": ('overwrite = "yes"', "run.toml: overwrite='yes': expected true or false"),
    "out of range": ("epochs = 0", "run.toml: epochs=0: expected a value at least 1"),
    "a share out of range": ("val = 1.5", "run.toml: val=1.5"),
    "a seed out of range": ("seed = -1", "run.toml: seed=-1"),
    "widths": ('hidden_dims = "a"', "run.toml: hidden_dims='a': expected widths"),
    "a width": ("hidden_dims = [8, 0]", "run.toml: hidden_dims=0"),
    "rates": ("learning_rate = [1, 2, 3]", "run.toml: learning_rate=(1, 2, 3): expected one number, or two"),
    "an unknown model": ('model = "vgea"', "run.toml: model='vgea': expected one of"),
    "an unknown preset": ('preset = "papr"', "run.toml: preset='papr'"),
    "an unknown decoder": ('decoder = "mpl"', "run.toml: decoder='mpl': expected one of"),
    "an unknown decoder in a table": ('decoder = { name = "mpl" }', "run.toml: decoder: name='mpl': expected one of"),
    "a table without a name": ("decoder = { width = 3 }", "run.toml: decoder: name=None: expected one of"),
    "an unknown setting": (
        'decoder = { name = "mlp", widht = 3 }',
        "run.toml: decoder={'name': 'mlp', 'widht': 3}: expected settings of MLPDecoder",
    ),
    "a setting out of range": ('decoder = { name = "mlp", width = 0 }', "run.toml: decoder: width=0"),
    "code": ('encoder = { name = "custom" }', "run.toml: encoder: CustomEncoder: module is NoneType"),
    "a setting of others": ("free_bits = 1.0", "run.toml: free_bits: vgae has no argument 'free_bits'"),
    "a setting of files": ('source = "a"', "run.toml: source='a': karate is a data set"),
    "epochs in words": ('patience = "some"', "run.toml: patience='some': expected a number of epochs"),
    "kinds that are none": ('feature_kinds = "zip"', "run.toml: feature_kinds='zip': expected kinds by column"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("printed", [True, False])
def test_a_refusal_names_file_key_value_and_expectation(case, printed, folder, capsys):
    text, expected = REFUSED[case]
    Path("run.toml").write_text(text + "\n")
    before = sorted(folder.rglob("*"))
    assert main(["train", "karate", "--config", "run.toml", *(["--print-config"] if printed else [])]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert expected in line
    assert sorted(folder.rglob("*")) == before


def test_the_same_refusal_of_a_flag_names_the_flag_or_the_argument(capsys):
    Path("run.toml").write_text("epochs = 0\n")
    assert main(["train", "karate", "--config", "run.toml", "--epochs", "-1"]) == 2
    assert capsys.readouterr().err.startswith("graphvae: error: epochs=-1")
    assert main(["train", "karate", "--decoder", '{ name = "mlp", width = 0 }']) == 2
    assert capsys.readouterr().err.startswith("graphvae: error: --decoder: width=0")
    assert main(["train", "karate", "--decoder", "{ name = mlp }"]) == 2
    assert "--decoder='{ name = mlp }': expected a table as TOML has it" in capsys.readouterr().err
    assert main(["train", "karate", "--config", "rnu.toml"]) == 2
    assert "--config='rnu.toml': no such file" in capsys.readouterr().err


values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values, max_size=4))
def test_any_values_are_written_as_toml_has_them(found):
    assert tomllib.loads(to_toml(found)) == found


def test_none_is_a_word():
    assert to_toml({"patience": None}) == 'patience = "none"'
