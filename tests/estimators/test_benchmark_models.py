"""Models by a line of text: presets, objectives, arguments and components with settings."""

from __future__ import annotations

import pytest

import graphvae as gv
from graphvae.estimators.benchmark_models import parse_dataset, parse_model, split_specs
from graphvae.evaluation.heuristics import HEURISTICS


def test_presets_objectives_and_baselines_by_name():
    assert parse_model("vgae")(7).get_params() == gv.VGAE(seed=7).get_params()
    assert parse_model("vgae:generative")(1).prior == "features"
    assert parse_model("vgae:elbo")(1).get_params() == gv.VGAE.preset("elbo", seed=1).get_params()
    assert parse_model("vgae:kipf:exact")(1).get_params() == gv.VGAE(objective="kipf:exact", seed=1).get_params()
    assert isinstance(parse_model("gae")(0), gv.GAE)
    for name in (*HEURISTICS, "heuristics"):
        assert parse_model(name) == name
    assert parse_dataset("cora") == ("cora", True)
    assert parse_dataset(" pubmed:featureless") == ("pubmed", False)


def test_settings_are_arguments_of_the_estimator():
    strong = parse_model("vgae:strong, posterior = hyperspherical,latent_dim=32")(3)
    expected = gv.VGAE.preset("strong", posterior="hyperspherical", latent_dim=32, seed=3)
    assert strong.get_params() == expected.get_params()
    plain = parse_model("gae,hidden_dims=[64,32],learning_rate=[0.01,0.001],patience=none")(0)
    assert (plain.hidden_dims, plain.learning_rate, plain.patience) == ((64, 32), (0.01, 0.001), None)
    with_settings = parse_model('vgae,decoder={name="mlp", width=8},objective={ name = "masked", rate = 0.3 }')(0)
    assert with_settings.decoder == gv.nn.MLPDecoder(width=8)
    assert with_settings.objective == gv.MaskedEdges(rate=0.3)


def test_a_list_of_models_by_comma():
    text = 'vgae:strong,posterior=hyperspherical,epochs=3, gae,hidden_dims=[64,32],katz,vgae,decoder={name="mlp"}'
    assert split_specs(text) == [
        "vgae:strong,posterior=hyperspherical,epochs=3",
        "gae,hidden_dims=[64,32]",
        "katz",
        'vgae,decoder={name="mlp"}',
    ]
    assert split_specs("vgae") == ["vgae"]
    assert split_specs("") == [""]
    with pytest.raises(gv.InputError, match="expected a model before its setting 'epochs=3'"):
        split_specs("epochs=3,vgae")
    with pytest.raises(gv.InputError, match="as many closing brackets"):
        split_specs("vgae,hidden_dims=[64,32")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "model=''"),
        ("heuristic", "did you mean 'heuristics'"),
        ("vgae:papr", "preset='papr'.*did you mean 'paper'"),
        ("vgae:kipf:fast", "path of the objective='fast'"),
        ("gae:paper", "expected a preset or an objective for vgae only"),
        ("katz,epochs=3", "expected settings for a model that is trained"),
        ("vgae,epoch=3", "VGAE has no argument 'epoch'"),
        ("gae,beta=2", "GAE has no argument 'beta'"),
        ("vgae,seed=3", "the seed is that of the split"),
        ("vgae,epochs=3,epochs=4", "expected each setting once"),
        ('vgae,decoder={name="mlpp"}', "decoder='mlpp'.*did you mean 'mlp'"),
        ('vgae,decoder={name="mlp",depth=3}', "depth"),
    ],
)
def test_refusals(spec, message):
    with pytest.raises(gv.InputError, match=message):
        parse_model(spec)
