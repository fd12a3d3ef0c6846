"""Every decoder keeps one contract: its logits, block by block or pair by pair, and sums equal to dense ones."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import expit

import graphvae as gv
from graphvae.kernels.edges import EdgeSet
from graphvae.nn.decoders import DECODERS, CosineDecoder, InnerProductDecoder
from graphvae.training.randomness import seeded

N, D = 23, 4
# Every decoder as its name builds it, and settings that make another one of it.
TEMPLATES = {
    **DECODERS,
    "intercepts": partial(InnerProductDecoder, intercepts=True),
    "cosine, intercepts": partial(CosineDecoder, intercepts=True),
}
PAIRS = torch.tensor([[0, 1, 2, 5, 3, 0, 8], [4, 7, 3, 9, 11, 1, 22]])


def dense_logits(name: str, decoder, z: np.ndarray) -> np.ndarray:
    """``(N, N)`` logits by hand, from the decoder's parameters."""
    p = {key: value.detach().numpy() for key, value in decoder.named_parameters()}
    product, softplus = z[:, None] * z[None], np.logaddexp(0, z)
    if name == "inner_product":
        return product.sum(-1) * np.exp(p.get("log_scale", 0.0)) + p.get("intercept", 0.0)
    if name == "intercepts":
        b = np.exp(p["log_spread"]) * z[:, -1]
        positions = product[..., :-1].sum(-1) * np.exp(p.get("log_scale", 0.0))
        return positions + p.get("intercept", 0.0) + b[:, None] + b
    if name == "cosine, intercepts":
        b, length = np.exp(p["log_spread"]) * z[:, -1], np.linalg.norm(z[:, :-1], axis=1)
        cosine = product[..., :-1].sum(-1) / (length[:, None] * length)
        return np.exp(p["log_scale"]) * cosine + p["intercept"] + b[:, None] + b
    if name == "cosine":
        length = np.linalg.norm(z, axis=1)
        return np.exp(p["log_scale"]) * product.sum(-1) / (length[:, None] * length) + p["intercept"]
    if name == "bilinear":
        return z @ ((p["weight"] + p["weight"].T) / 2) @ z.T + p["intercept"]
    if name == "distance":
        return p["intercept"] - np.exp(p["log_scale"]) * ((z[:, None] - z[None]) ** 2).sum(-1)
    if name == "mlp":
        hidden = np.maximum(product @ p["hidden.weight"].T + p["hidden.bias"], 0)
        return (hidden @ p["out.weight"].T + p["out.bias"])[..., 0]
    assert name == "bernoulli_poisson"
    rate = np.exp(2 * p["log_scale"]) * (softplus @ softplus.T) + np.exp(p["intercept"])
    return np.log(np.expm1(rate))


@pytest.fixture(params=TEMPLATES)
def name(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["balanced", "likelihood"])
def decoder(request, name):
    with seeded(1):
        built = TEMPLATES[name]().build(latent_dim=D, likelihood_based=request.param, density=0.1).double().eval()
        for parameter in built.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
    return built


def all_edges(split) -> list[tuple[int, int]]:
    return torch.cat([split.train.pairs, split.val.positive, split.test.positive], 1).T.tolist()


def positions(*batch: int) -> torch.Tensor:
    return torch.randn(*batch, N, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_logits_of_pairs_and_blocks_are_the_dense_ones(name, decoder):
    z = positions()
    dense, likelihood = dense_logits(name, decoder, z.numpy()), decoder(z)
    for pairs in (PAIRS, PAIRS.flip(0)):
        np.testing.assert_allclose(likelihood.logits(pairs).detach(), dense[tuple(pairs)], rtol=1e-10)
    np.testing.assert_allclose(likelihood.logits(EdgeSet(PAIRS, N)).detach(), dense[tuple(PAIRS)], rtol=1e-10)
    np.testing.assert_allclose(likelihood.diagonal_logits().detach(), np.diag(dense), rtol=1e-10)
    rows, columns = torch.tensor([3, 0, 19]), torch.arange(N)
    np.testing.assert_allclose(likelihood.block_logits(rows, columns).detach(), dense[rows], rtol=1e-10)
    np.testing.assert_allclose(likelihood.block_logits(slice(2, 9), slice(7, 30)).detach(), dense[2:9, 7:], rtol=1e-10)


@pytest.mark.parametrize("block", [None, 5, N])
def test_log_prob_is_the_dense_sum_over_unordered_pairs(name, decoder, block):
    z = positions()
    dense, likelihood = dense_logits(name, decoder, z.numpy()), decoder(z)
    likelihood.block = block or likelihood.block
    above = np.triu_indices(N, 1)
    expected = dense[tuple(PAIRS)].sum() - np.logaddexp(0, dense[above]).sum()
    assert float(likelihood.log_prob(PAIRS).detach()) == pytest.approx(expected, rel=1e-10)
    assert float(likelihood.log_prob(torch.cat([PAIRS, PAIRS.flip(0)], 1)).detach()) == pytest.approx(expected)
    total = float(likelihood.ordered_softplus_sum().detach())
    assert total == pytest.approx(np.logaddexp(0, dense).sum(), rel=1e-10)
    with torch.no_grad():
        assert float(decoder(z).expected_edges()) == pytest.approx(expit(dense[above]).sum(), rel=1e-10)


def test_gradients_are_those_of_the_dense_sum(name, decoder):
    z = positions().requires_grad_()
    likelihood = decoder(z)
    likelihood.block = 7
    leaves = [z, *decoder.parameters()]
    found = torch.autograd.grad(likelihood.log_prob(EdgeSet(PAIRS, N)), leaves)
    every = torch.triu_indices(N, N, 1)
    plain = decoder(z)
    dense = plain.logits(PAIRS).sum() - torch.nn.functional.softplus(plain.logits(every), threshold=50).sum()
    for ours, theirs in zip(found, torch.autograd.grad(dense, leaves), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-9)
    assert all(part.abs().sum() > 0 for part in found)


def test_a_batch_of_positions_is_as_many_likelihoods(decoder):
    z = positions(2, 3)
    likelihood, rows, columns = decoder(z), slice(0, 4), slice(3, 9)
    assert likelihood.batch_shape == (2, 3)
    for index in itertools.product(range(2), range(3)):
        one = decoder(z[index])
        for ours, theirs in (
            (likelihood.log_prob(PAIRS)[index], one.log_prob(PAIRS)),
            (likelihood.logits(PAIRS)[index], one.logits(PAIRS)),
            (likelihood.block_logits(rows, columns)[index], one.block_logits(rows, columns)),
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_the_estimate_is_unbiased(decoder):
    likelihood = decoder(positions())
    with torch.no_grad(), seeded(2):
        exact = float(likelihood.log_prob(PAIRS))
        draws = torch.stack([likelihood.log_prob_estimate(PAIRS, 40) for _ in range(400)])
    assert abs(float(draws.mean()) - exact) < 5 * float(draws.std()) / 20


def test_a_drawn_graph_has_as_many_edges_as_expected(decoder):
    likelihood = decoder.requires_grad_(False)(positions())
    with seeded(5):
        counts = [likelihood.sample_edges().shape[1] for _ in range(60)]
    every = torch.triu_indices(N, N, 1)
    p = torch.sigmoid(likelihood.logits(every))
    error = math.sqrt(float((p * (1 - p)).sum()) / 60)
    assert abs(np.mean(counts) - likelihood.expected_edges()) < 4.5 * error


def test_far_logits_stay_finite(name, decoder):
    z = 1e3 * positions().float()
    value = decoder.float()(z).log_prob(PAIRS)
    assert bool(torch.isfinite(value)), name


def test_settings_build_the_same_decoder_again(name):
    plain = TEMPLATES[name]()
    again = type(plain)(**plain.settings())
    assert again.settings() == plain.settings()
    one, two = (each.build(latent_dim=D, likelihood_based=True, density=0.1) for each in (plain, again))
    two.load_state_dict(one.state_dict())
    for p, q in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("objective", ["kipf", "elbo", "masked"])
def test_every_objective_trains_it_and_a_run_folder_keeps_it(name, objective, tmp_path):
    split = gv.split_links(gv.load_graph("karate"), val=0.1, test=0.1, seed=0)
    given = name if name in DECODERS else TEMPLATES[name]()
    model = gv.VGAE(4, decoder=given, objective=objective, epochs=40, learning_rate=0.02, kl_warmup=20).fit(split)
    losses = [record["loss"] for record in model.history[20:]]
    assert np.mean(losses[-5:]) < model.history[0]["loss"] or objective == "masked"
    rows = split.test.positive
    p = model.predict_proba(edge_label_index=rows)
    assert ((p > 0) & (p < 1)).all()
    assert np.isfinite(model.elbo())
    assert model.sample(source="posterior", seed=1).num_nodes == 34
    loaded = gv.load(model.save(tmp_path / "run"))
    assert np.array_equal(loaded.predict_proba(edge_label_index=rows), p)
    assert loaded.decoder == name if name in DECODERS else loaded.decoder.settings() == given.settings()
    # Every pair is scored by blocks, and the best one is the best.
    best, rows = model.recommend(k=1), np.stack(np.triu_indices(34, 1))
    p = model.predict_proba(edge_label_index=rows)
    free = ~np.isin(rows[0] * 34 + rows[1], [u * 34 + v for u, v in all_edges(split)])
    assert best.probability[0] == pytest.approx(p[free].max(), rel=1e-6)


def test_an_estimate_of_all_pairs_needs_inner_products(name):
    template = TEMPLATES[name]()
    model = gv.VGAE(4, decoder=template, objective="kipf:control-variate", epochs=2)
    if template.inner_product:
        assert model.fit(gv.load_graph("karate")).fitted.path == "control-variate"
    else:
        with pytest.raises(gv.InputError, match=r"kipf:control-variate.*inner products"):
            model.fit(gv.load_graph("karate"))
