"""Design by optimisation: bolder digits, by gradient ascent in the latent space of a class-conditional VAE.

A small network learns to predict the ink of an image from its latent vector and class, and its gradient says where to
go. But predictor and decoder are right only where they have seen data; a second climb also pays for a low log p(z).
Both are judged by what counts: the ink of the decoded images, and whether a classifier still reads the same digit.

python examples/climb_a_property.py
python examples/climb_a_property.py --weight 0.3 --out bolder.png
"""

import argparse

import torch
from sklearn.svm import SVC
from torch import Tensor, nn

import graphvae as gv
from graphvae.nn.dense import ImageInputs
from graphvae.plots.images import plot_grid

parser = argparse.ArgumentParser()
parser.add_argument("--weight", type=float, default=1.0, help="of log p(z), in standard deviations of the ink per nat")
parser.add_argument("--steps", type=int, default=100, help="of the climb")
parser.add_argument("--epochs", type=int, default=150, help="of the CVAE")
parser.add_argument("--out", default="climb.png")
arguments = parser.parse_args()

train, test = gv.load_images("digits").split(0.2, seed=0)
cvae = gv.CVAE(latent_dim=8, epochs=arguments.epochs, seed=0).fit(train.x, train.y)
judge = SVC(C=10).fit(train.x, train.y)
z_train, z_test = (torch.from_numpy(cvae.transform(part.x, part.y)) for part in (train, test))
y_train, y_test = (nn.functional.one_hot(part.y, 10).float() for part in (train, test))


def ink(images: Tensor) -> Tensor:
    """The property: mean grey value of each image, in %."""
    return 100 * images.mean(1)


torch.manual_seed(0)
centre, spread = ink(train.x).mean(), ink(train.x).std()
predictor = nn.Sequential(nn.Linear(8 + 10, 64), nn.Tanh(), nn.Linear(64, 1), nn.Flatten(0))
optimiser = torch.optim.Adam(predictor.parameters(), lr=0.01)
for _ in range(500):
    optimiser.zero_grad()
    nn.functional.mse_loss(predictor(torch.cat([z_train, y_train], 1)), (ink(train.x) - centre) / spread).backward()
    optimiser.step()


def climb(weight: float, steps: int) -> Tensor:
    """Where the latent vectors of all test images get to."""
    z = z_test.clone().requires_grad_()
    optimiser = torch.optim.Adam([z], lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        (-predictor(torch.cat([z, y_test], 1)) - weight * prior.log_prob(z)).sum().backward()
        optimiser.step()
    return z.detach()


prior = cvae.module_.prior(ImageInputs(test.x))
ends = {
    "start": z_test,
    "climb without the prior": climb(0.0, arguments.steps),
    "climb under the prior": climb(arguments.weight, arguments.steps),
}
print(f"Ink of {len(test)} held-out digits in %: mean {ink(test.x).mean():.1f}, largest {ink(test.x).max():.1f}\n")
print(f"{'means':24}{'ink predicted':>15}{'ink measured':>14}{'log p(z), nats':>16}{'read as itself':>16}")
rows = [test.x]
for name, z in ends.items():
    # Means of a Gaussian may lie a little outside [0, 1]; no ink does.
    images = torch.from_numpy(cvae.inverse_transform(z, test.y)).clamp(0, 1)
    predicted = predictor(torch.cat([z, y_test], 1)).mean() * spread + centre
    read = (judge.predict(images) == test.y.numpy()).mean()
    print(f"{name:24}{predicted:15.1f}{ink(images).mean():14.1f}{prior.log_prob(z).mean():16.1f}{read:16.0%}")
    rows.append(images)

first = [int((test.y == digit).nonzero()[0, 0]) for digit in range(10)]
grid = torch.stack([row[first] for row in rows])
print("\nOne digit of each class:", plot_grid(grid, arguments.out, row_labels=["image", *ends]))
