"""Arguments of estimators: readable, changeable, and storable as JSON whatever kind of number they are."""

from __future__ import annotations

import inspect
import json
from fractions import Fraction

import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae.estimators.parameters import COMPONENTS, component, from_json, to_json
from graphvae.nn import (
    CustomEncoder,
    CustomNetwork,
    FeaturePrior,
    HopEncoder,
    InnerProductDecoder,
    MixturePrior,
    StandardNormalPrior,
)
from graphvae.training.adversary import Adversarial

ESTIMATORS = [gv.VGAE, gv.GAE]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_constructor_stores_its_arguments_and_nothing_else(estimator):
    model = estimator()
    assert vars(model) == model.get_params()
    assert list(model.get_params()) == list(inspect.signature(estimator).parameters)
    assert len(model.get_params()) <= 17  # the house says: about fifteen


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_arguments_are_kept_as_they_are_given(estimator):
    given = {name: object() for name in inspect.signature(estimator).parameters}
    assert all(estimator(**given).get_params(deep=False)[name] is value for name, value in given.items())


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_scikit_learn_can_clone_it(estimator):
    from sklearn.base import clone

    model = estimator(latent_dim=3, decoder=InnerProductDecoder(bias=True), seed=4)
    copy = clone(model)
    assert copy is not model
    assert to_json(copy.get_params()) == to_json(model.get_params())


def test_set_params_returns_the_model_and_changes_all_or_nothing():
    model = gv.VGAE()
    assert model.set_params(epochs=3, beta=0.5) is model
    assert (model.epochs, model.beta) == (3, 0.5)
    with pytest.raises(gv.InputError, match=r"VGAE has no argument 'latent_dims'.*did you mean 'latent_dim'"):
        model.set_params(epochs=9, latent_dims=4)
    assert model.epochs == 3


def test_repr_shows_what_differs_from_the_defaults():
    assert repr(gv.VGAE()) == "VGAE()"
    assert repr(gv.GAE(latent_dim=8, hidden_dims=())) == "GAE(latent_dim=8, hidden_dims=())"
    assert repr(gv.VGAE(beta=1, prior="features")) == "VGAE(prior='features', beta=1)"
    assert "hidden_dims=array([4])" in repr(gv.VGAE(hidden_dims=np.array([4])))


def test_presets_are_settings_of_an_unfitted_model():
    assert gv.VGAE.preset("paper").get_params() == gv.VGAE().get_params()
    model = gv.VGAE.preset("generative", epochs=5, seed=3)
    assert (model.objective, model.prior, model.epochs, model.seed) == ("elbo", "features", 5, 3)
    with pytest.raises(gv.InputError, match=r"preset='papr'.*did you mean 'paper'"):
        gv.VGAE.preset("papr")
    with pytest.raises(gv.InputError, match=r"no argument 'epoch'.*did you mean 'epochs'"):
        gv.VGAE.preset("paper", epoch=3)


@pytest.mark.parametrize("name", COMPONENTS)
def test_an_alias_is_the_plain_object(name):
    for alias, kind in COMPONENTS[name].items():
        if kind in (CustomNetwork, CustomEncoder):  # made of modules, so there is no plain one
            continue
        made = component(name, alias)
        assert type(made) is kind
        assert component(name, made) is made
        assert made.settings() == kind().settings()


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("prior", "feature", r"did you mean 'features'"),
        ("prior", InnerProductDecoder(), r"prior=InnerProductDecoder.*expected one of 'normal', 'features'"),
        (
            "decoder",
            InnerProductDecoder,
            r"expected one of 'inner_product', 'cosine', .* InnerProductDecoder\(\.\.\.\)",
        ),
        ("decoder", None, r"decoder=None: expected"),
    ],
)
def test_components_that_are_none_are_refused(name, value, hint):
    with pytest.raises(gv.InputError, match=hint):
        component(name, value)


@pytest.mark.parametrize(
    "prior",
    ["normal", "features", "mixture", StandardNormalPrior(), FeaturePrior((7, 5), dropout=0.25), MixturePrior(4)],
)
@pytest.mark.parametrize("decoder", ["inner_product", InnerProductDecoder(True, False, 0.5), InnerProductDecoder()])
@pytest.mark.parametrize(
    "others",
    [
        {"patience": 3},
        {"objective": Adversarial(gv.MaskedEdges(0.3), (8,))},
        {"objective": Adversarial("kipf:exact", weight=0.5)},
        {"objective": gv.FreeBits(0.3)},
        {"patience": gv.Selection(4, average=2), "objective": gv.MaskedEdges(0.3), "encoder": HopEncoder(hops=1)},
    ],
)
def test_json_and_back(prior, decoder, others):
    params = gv.VGAE(prior=prior, decoder=decoder, hidden_dims=(8, 4), **others).get_params()
    stored = json.loads(json.dumps(to_json(params), allow_nan=False))
    back = from_json(stored)
    assert back.keys() == params.keys()
    for name, value in params.items():
        if hasattr(value, "settings"):
            assert type(back[name]) is type(value)
            assert back[name].settings() == value.settings()
        else:
            assert back[name] == value
            assert type(back[name]) is type(value)
    assert to_json(back) == stored


@pytest.mark.parametrize(
    ("name", "value", "plain"),
    [
        ("latent_dim", np.int64(8), 8),
        ("epochs", torch.tensor(5), 5),
        ("learning_rate", np.float32(0.5), 0.5),
        ("dropout", Fraction(1, 4), 0.25),
        ("hidden_dims", np.array([8, 4]), [8, 4]),
        ("hidden_dims", [np.int32(8)], [8]),
        ("hidden_dims", range(4, 6), [4, 5]),
        ("hidden_dims", (), []),
        ("device", torch.device("cpu"), "cpu"),
        ("patience", None, None),
    ],
)
def test_every_kind_of_number_that_fit_takes_can_be_stored(name, value, plain):
    stored = to_json(gv.VGAE(**{name: value}).get_params())[name]
    assert json.loads(json.dumps(stored)) == plain


def test_a_component_of_another_version_is_refused():
    with pytest.raises(gv.InputError, match="prior='vamp'"):
        from_json({"prior": {"name": "vamp"}})
