"""Few labels, many images: does the encoder of a VAE, trained without labels, help a classifier?

The VAE sees all training images and no label. A logistic regression on its latent means learns from ten labels per
class (linear probe), and then encoder and linear layer are trained on together (fine-tuning). Beside them the same
network from random weights, and a logistic regression on the pixels. All learn from the same labels; every run has test
images, labels and weights of its own.

python examples/fine_tune_a_classifier.py
python examples/fine_tune_a_classifier.py mnist --runs 3 --epochs 10     # minutes; fetched if there is a network

To start from the probe, as a random layer would first spoil the encoder, is the advice of Kumar et al. (2022).
"""

import argparse
import copy

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

import graphvae as gv
from graphvae.nn.dense import ImageInputs

parser = argparse.ArgumentParser()
parser.add_argument("dataset", nargs="?", default="digits")
parser.add_argument("--labels", type=int, default=10, help="per class")
parser.add_argument("--runs", type=int, default=10, help="at least 2")
parser.add_argument("--epochs", type=int, default=150, help="of the VAE")
parser.add_argument("--steps", type=int, default=200, help="of the classifiers")
arguments = parser.parse_args()


class Classifier(nn.Module):
    """A VAE's encoder up to the posterior mean, and a linear layer from there to the classes."""

    def __init__(self, vae: gv.VAE, probe: LogisticRegression) -> None:
        super().__init__()
        self.encoder, self.head = copy.deepcopy(vae.module_.encoder), nn.Linear(*reversed(probe.coef_.shape))
        self.head.load_state_dict({"weight": torch.tensor(probe.coef_), "bias": torch.tensor(probe.intercept_)})

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(ImageInputs(x)).mean)

    def forget(self) -> nn.Module:
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
        return self

    def fit(self, x: Tensor, y: Tensor, learning_rate: float) -> nn.Module:
        optimiser = torch.optim.Adam(self.parameters(), lr=learning_rate)
        for _ in range(arguments.steps):
            optimiser.zero_grad()
            nn.functional.cross_entropy(self(x), y).backward()
            optimiser.step()
        return self

    def score(self, x: Tensor, y: Tensor) -> float:
        return float((self(x).argmax(1) == y).double().mean())


images, runs = gv.load_images(arguments.dataset), []
for seed in range(arguments.runs):
    train, test = images.split(0.3, seed=seed)
    classes, rng = range(images.num_classes), np.random.default_rng(seed)
    few = np.concatenate([rng.choice(np.flatnonzero(train.y == k), arguments.labels, replace=False) for k in classes])
    x, y = train.x[few], train.y[few]
    vae = gv.VAE(latent_dim=8, epochs=arguments.epochs, seed=seed).fit(train.x)
    probe, pixels = (LogisticRegression(max_iter=5000).fit(values, y) for values in (vae.transform(x), x))
    torch.manual_seed(seed)
    # What has learnt something moves in small steps; from random weights larger ones are needed.
    tuned, fresh = Classifier(vae, probe).fit(x, y, 0.0003), Classifier(vae, probe).forget().fit(x, y, 0.003)
    scores = [model.score(test.x, test.y) for model in (tuned, fresh, pixels)]
    runs.append([*scores, probe.score(vae.transform(test.x), test.y)])


def summary(values: np.ndarray) -> str:
    return f"{values.mean():.1f} ± {values.std(ddof=1) / np.sqrt(len(values)):.1f}"


names = ("fine-tuned", "same network from scratch", "logistic regression on pixels", "linear probe, encoder frozen")
print(f"{len(few)} labels, {len(train)} images for the VAE, {len(test)} others to test on")
print(f"Mean ± standard error over {len(runs)} runs, in %; gains are paired\n")
print(f"{'':30}{'accuracy':>14}{'fine-tuned is better by':>26}")
accuracies = 100 * np.array(runs).T
for name, values in zip(names, accuracies, strict=True):
    print(f"{name:30}{summary(values):>14}{summary(accuracies[0] - values) if name != names[0] else '':>26}")
