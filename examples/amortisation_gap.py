"""Where a VAE loses nats: at the encoder, which finds all posteriors in one pass, or at the Gaussian they have to be.

    amortisation gap:   best Gaussian's ELBO - encoder's ELBO, as the encoder is not at its best for each single image
    approximation gap:  log p(x) - best Gaussian's ELBO, as no diagonal Gaussian is the true posterior

A few gradient steps on the mean and scale of one image's posterior close most of the first gap, and so show its size.
What stands for log p(x) is a bound, too, by importance sampling from the best posterior: the second gap may be larger.

python examples/amortisation_gap.py
python examples/amortisation_gap.py --steps 5 20 100 --epochs 50

Reference: Cremer, Li and Duvenaud, Inference Suboptimality in Variational Autoencoders (2018).
"""

import argparse

import numpy as np
import torch

import graphvae as gv
from graphvae.estimators.refinement import refine
from graphvae.nn.dense import ImageInputs
from graphvae.variational.bound import bound

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, nargs="+", default=[5, 20, 100], help="gradient steps, in growing order")
parser.add_argument("--images", type=int, default=200, help="of the training data and of the others, each")
parser.add_argument("--samples", type=int, default=1000, help="draws of z for an ELBO or log p(x)")
parser.add_argument("--epochs", type=int, default=150)
arguments = parser.parse_args()

train, test = gv.load_images("digits").split(0.2, seed=0)
vae = gv.VAE(latent_dim=16, epochs=arguments.epochs, seed=0).fit(train.x)
names = ["ELBO, encoder", *(f"ELBO, gradient steps: {steps}" for steps in arguments.steps), "log p(x)"]


@torch.no_grad()
def bounds(x: torch.Tensor) -> torch.Tensor:
    """Nats of images (B, D) by the encoder's posterior, by each refined one and by importance sampling: (B, names)."""
    encoded, prior = vae.module_(ImageInputs(x))
    refined = [
        refine(encoded, prior, vae.module_.decode, x, steps=steps, learning_rate=0.02, samples=8)
        for steps in arguments.steps
    ]
    columns = []
    for q in (encoded, *refined):
        torch.manual_seed(0)  # the same noise for all: they differ by nothing but the posterior
        columns.append(bound(q, prior, vae.module_.decode, x, arguments.samples).elbo())
    weighted = bound(refined[-1], prior, vae.module_.decode, x, arguments.samples, analytic=False)
    return torch.stack([*columns, weighted.iwae()], 1)


tables = {}
for name, x in (("training", train.x), ("held-out", test.x)):
    # A few images at a time, as a thousand draws for each take room.
    tables[name] = torch.cat([bounds(some) for some in x[: arguments.images].split(50)]).double().numpy()
print(f"{'nats, mean ± standard error':28}", *(f"{len(nats)} {name} images".rjust(22) for name, nats in tables.items()))
rows = {name: [nats[:, k] for nats in tables.values()] for k, name in enumerate(names)}
rows["amortisation gap"] = [nats[:, -2] - nats[:, 0] for nats in tables.values()]
rows["approximation gap"] = [nats[:, -1] - nats[:, -2] for nats in tables.values()]
for name, columns in rows.items():
    cells = [f"{nats.mean():.2f} ± {nats.std(ddof=1) / np.sqrt(len(nats)):.2f}" for nats in columns]
    print(f"{name:28}", *(cell.rjust(22) for cell in cells))
for name, amortisation, approximation in zip(tables, rows["amortisation gap"], rows["approximation gap"], strict=True):
    share = amortisation.mean() / (amortisation + approximation).mean()
    print(f"{name}: {share:.0%} of what the encoder's ELBO lacks is won back by {arguments.steps[-1]} gradient steps")
