"""The second player: its game by hand, whom its moves reach, and what becomes of the latent vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae._check import InputError
from graphvae.training.adversary import Adversarial, Adversary, Discriminator
from graphvae.training.loop import train
from graphvae.training.objectives import OBJECTIVES, objective_named
from graphvae.training.randomness import seeded
from graphvae.variational.distributions import diagonal_normal

LESMIS, CPU = gv.load_graph("lesmis"), torch.device("cpu")


def player(dim: int = 2, **settings) -> Adversary:
    with seeded(0):
        return Adversary(Adversarial(**settings), dim, CPU)


def prior(n: int = 5, dim: int = 2):
    return diagonal_normal(torch.zeros(n, dim), torch.ones(n, dim), 2)


def test_the_discriminator_is_a_relu_network():
    module = player(hidden_dims=(3, 4)).module.double()
    z = torch.randn(2, 5, 2, dtype=torch.float64)
    h = z.numpy()
    for index, layer in enumerate(module.layers):
        h = h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        h = np.maximum(h, 0) if index < 2 else h
    np.testing.assert_allclose(module(z).detach(), h[..., 0], rtol=1e-12)
    assert Discriminator(2, ())(z.float()).shape == (2, 5)


def test_costs_are_binary_cross_entropies_of_who_drew_what():
    adversary, z = player(), torch.randn(3, 5, 2, requires_grad=True)
    with seeded(4):
        fooling = adversary.fooling(z, prior())
    with seeded(4):
        drawn = prior().sample((3,))
    entropy, one = torch.nn.functional.binary_cross_entropy, torch.ones(3, 5)
    told, real = (torch.sigmoid(adversary.module(x)) for x in (z, drawn))
    torch.testing.assert_close(fooling, entropy(told, one))
    torch.testing.assert_close(adversary.loss(), entropy(told, 0 * one) + entropy(real, one))


def test_a_discriminator_that_cannot_tell_pays_two_bits():
    adversary = player()
    torch.nn.init.zeros_(adversary.module.layers[-1].weight)
    torch.nn.init.zeros_(adversary.module.layers[-1].bias)
    fooling = adversary.fooling(torch.randn(1, 5, 2), prior())
    assert float(fooling.detach()) == pytest.approx(np.log(2))
    assert float(adversary.loss().detach()) == pytest.approx(2 * np.log(2))


def test_the_second_player_s_loss_reaches_its_own_weights_alone():
    adversary, z = player(), torch.randn(3, 5, 2, requires_grad=True)
    adversary.fooling(z, prior())
    adversary.loss().backward()
    assert z.grad is None
    assert all(bool(parameter.grad.abs().sum() > 0) for parameter in adversary.module.parameters())


def test_moves_alternate_each_by_an_adam_of_its_own():
    """The loop against two optimisers of torch's, by hand: encoder first, then the discriminator on the same draws."""

    def encoder() -> torch.nn.Module:
        with seeded(1):
            return torch.nn.Linear(3, 2)

    x, p = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), prior()
    ours, theirs = encoder(), encoder()
    mine, other = player(learning_rate=0.05), player(learning_rate=0.05)

    def step(epoch, batch):
        z = ours(x).unsqueeze(0)
        fooling = mine.fooling(z, p)
        return z.square().mean() + 0.3 * fooling, {"fooling": fooling}

    result = train(ours, step, epochs=6, learning_rate=0.02, seed=7, device=CPU, opponent=mine)
    first = torch.optim.Adam(theirs.parameters(), lr=0.02)
    second = torch.optim.Adam(other.module.parameters(), lr=0.05)
    costs = []
    for epoch in range(1, 7):
        with seeded(7, "step", epoch):
            z, drawn = theirs(x).unsqueeze(0), p.sample((1,))
        told = torch.nn.functional.softplus(-other.module(z)).mean()
        first.zero_grad()
        (z.square().mean() + 0.3 * told).backward()
        # The discriminator answers from the weights it was played against.
        second.zero_grad()
        fake, real = other.module(z.detach()), other.module(drawn)
        cost = torch.nn.functional.softplus(fake).mean() + torch.nn.functional.softplus(-real).mean()
        cost.backward()
        first.step(), second.step()
        costs.append(float(cost.detach()))
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(mine.module.layers[0].weight, other.module.layers[0].weight)
    assert [record["opponent"] for record in result.history] == pytest.approx(costs, rel=1e-5)


def test_without_weight_the_model_is_the_base_s():
    for base in ("kipf", "masked", "elbo", "sampled"):
        plain = gv.VGAE(objective=base, epochs=5).fit(LESMIS)
        game = gv.VGAE(objective=Adversarial(base, weight=0.0), epochs=5).fit(LESMIS)
        assert game.fitted.path == plain.fitted.path
        assert game.history[0]["loss"] == plain.history[0]["loss"]
        np.testing.assert_array_equal(game.embed().vectors, plain.embed().vectors)


@pytest.mark.parametrize("kind", [gv.VGAE, gv.GAE])
def test_latent_vectors_are_drawn_to_the_prior(kind):
    """Means and spreads of all nodes' latents come closer to a standard normal's, with no divergence to see to it."""
    distances, others = [], {"beta": 0.0} if kind is gv.VGAE else {}
    for objective in ("kipf", Adversarial(weight=3.0, learning_rate=0.01)):
        z = kind(4, objective=objective, epochs=200, seed=1, **others).fit(LESMIS).embed()
        spread = z.vectors.std(0) if z.scale is None else np.sqrt(z.vectors.var(0) + (z.scale**2).mean(0))
        distances.append(np.abs(z.vectors.mean(0)).mean() + np.abs(spread - 1).mean())
    assert distances[1] < 0.7 * distances[0]


def test_the_encoder_is_stored_once_and_the_discriminator_not_at_all(tmp_path):
    from safetensors.torch import load_file

    split = gv.split_links(LESMIS, val=0.05, test=0.2, seed=0)
    model = gv.VGAE(objective=Adversarial(gv.MaskedEdges(0.3), weight=0.2), epochs=20).fit(split)
    plain = gv.VGAE(epochs=1).fit(split)
    model.save(tmp_path / "run")
    stored = load_file(tmp_path / "run" / "weights.safetensors")
    assert {k: v.shape for k, v in stored.items()} == {k: v.shape for k, v in plain.fitted.module.state_dict().items()}
    loaded = gv.load(tmp_path / "run")
    assert loaded.objective == model.objective
    assert loaded.evaluate().to_dict() == model.evaluate().to_dict()
    assert {"fooling", "opponent"} <= set(model.history[-1])


def test_names_reach_any_base():
    assert objective_named("adversarial").base is OBJECTIVES["kipf"]
    assert objective_named("adversarial:elbo").likelihood_based
    assert objective_named("adversarial:kipf:exact").choose_path(10**6, 10**7, 16, CPU) == "exact"
    assert not objective_named("adversarial:masked").likelihood_based
    assert objective_named(objective_named("adversarial:elbo")).base is OBJECTIVES["elbo"]
    assert objective_named("adversarial:free-bits:kipf").free_bits == gv.FreeBits().nats
    for wrong in ("adversarial:kip", "adversarial:adversarial", Adversarial("kip"), "adversarial:"):
        with pytest.raises(InputError, match=r"objective=|base="):
            objective_named(wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_dims", 16), ("hidden_dims", (0,)), ("learning_rate", 0), ("weight", -1), ("base", "adversarial")],
)
def test_bad_settings_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name}="):
        Adversarial(**{name: value})


def test_a_loss_before_any_draw_is_refused():
    with pytest.raises(InputError, match="has seen no draws"):
        player().loss()
