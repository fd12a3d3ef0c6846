"""An attribute as a direction of the latent space: from a few labelled digits, what makes an 8 a 3?

The attribute vector is the mean difference of latent vectors between images that have the attribute and images that do
not. Added to held-out images with growing weight, it should bring the attribute about; a classifier trained on real
digits judges by the decoded images. A random vector of the same length shows what a mere push would do.

python examples/attribute_vector.py
python examples/attribute_vector.py --lack 7 --have 9 --out nines.png

Reference: Larsen, Sønderby, Larochelle and Winther, Autoencoding beyond Pixels (2016), section 4.1.
"""

import argparse

import numpy as np
from sklearn.svm import SVC

import graphvae as gv
from graphvae.plots.images import plot_grid

parser = argparse.ArgumentParser()
parser.add_argument("--lack", type=int, default=8, help="the digit that is changed")
parser.add_argument("--have", type=int, default=3, help="the digit that has the attribute")
parser.add_argument("--labels", type=int, default=20, help="of each of the two")
parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.5, 1.0, 1.5, 2.0])
parser.add_argument("--epochs", type=int, default=150, help="of the VAE")
parser.add_argument("--out", default="attribute.png")
arguments = parser.parse_args()
lack, have = arguments.lack, arguments.have

train, test = gv.load_images("digits").split(0.3, seed=0)
vae = gv.VAE(latent_dim=16, epochs=arguments.epochs, seed=0).fit(train.x)
judge = SVC(C=10).fit(train.x, train.y)
few = np.concatenate([np.flatnonzero(train.y == digit)[: arguments.labels] for digit in (lack, have)])
vector = vae.attribute_vector(train.x[few], train.y[few] == have)
rng = np.random.default_rng(0)
pushes = rng.standard_normal((20, len(vector)))
pushes *= np.linalg.norm(vector) / np.linalg.norm(pushes, axis=1, keepdims=True)

originals = test.x[test.y == lack]
z = vae.transform(originals)


def shares(direction: np.ndarray, weight: float) -> tuple[float, float]:
    """Of the images changed, those the judge takes for what they shall be and for what they were."""
    read = judge.predict(vae.inverse_transform(z + weight * direction))
    return (read == have).mean(), (read == lack).mean()


print(f"The judge reads {judge.score(test.x, test.y):.1%} of {len(test)} held-out digits rightly.")
print(f"Share of {len(z)} held-out images of {lack} read as {have} (as {lack}), by the weight of what is added:\n")
print(f"{'weight':>8}{'attribute vector':>24}{'20 random vectors':>24}")
for weight in arguments.weights:
    changed, pushed = shares(vector, weight), np.mean([shares(push, weight) for push in pushes], axis=0)
    print(f"{weight:>8g}" + "".join(f"{a:.0%} ({b:.0%})".rjust(24) for a, b in (changed, pushed)))

columns = [originals, *(vae.inverse_transform(z + weight * vector) for weight in arguments.weights)]
labels = ["image", *(f"{weight:g}" for weight in arguments.weights)]
picked = np.linspace(0, len(z) - 1, 8).astype(int)
grid = np.stack([column[picked] for column in columns], axis=1)
title = f"From {lack} to {have}: weight of the vector"
print("\nPicture:", plot_grid(grid, arguments.out, column_labels=labels, title=title))
