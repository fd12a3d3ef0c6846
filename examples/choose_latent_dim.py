"""How many latent dimensions? A VAE is a scikit-learn estimator, so GridSearchCV answers by the ELBO of held-out data.

Beside the ELBO stand a closer bound on log p(x), from 1000 importance samples, and the accuracy of a linear probe: a
logistic regression on the latent means. The three need not agree.

python examples/choose_latent_dim.py
python examples/choose_latent_dim.py --dims 2 4 8 --folds 5 --epochs 50 --out dims.svg
"""

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

import graphvae as gv
from graphvae.plots.style import COLOURS, LINE_STYLES, MARKERS, new_figure, save_figure, tidy

parser = argparse.ArgumentParser()
parser.add_argument("--dims", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32], help="latent dimensions to try")
parser.add_argument("--folds", type=int, default=3)
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--samples", type=int, default=1000, help="importance samples of log p(x)")
parser.add_argument("--out", default="latent_dim.png")
arguments = parser.parse_args()


def scores(vae, x, y):
    """All that is worth knowing of a fitted model on held-out data; the grid search keeps it and chooses by one."""
    z = vae.transform(x)
    return {
        "elbo": vae.score(x),
        "log_p": vae.log_marginal(x, samples=arguments.samples).mean(),
        "probe": 100 * cross_val_score(LogisticRegression(max_iter=2000), z, y).mean(),
    }


train, test = gv.load_images("digits").split(0.2, seed=0)
search = GridSearchCV(
    gv.VAE(epochs=arguments.epochs, seed=0),
    {"latent_dim": arguments.dims},
    scoring=scores,
    refit="elbo",  # the one of the scores that chooses
    cv=KFold(arguments.folds, shuffle=True, random_state=0),
)
search.fit(train.x.numpy(), train.y.numpy())
means, errors = {}, {}
for name in ("elbo", "log_p", "probe"):
    folds = np.stack([search.cv_results_[f"split{fold}_test_{name}"] for fold in range(arguments.folds)])
    means[name], errors[name] = folds.mean(0), folds.std(0, ddof=1) / np.sqrt(arguments.folds)

print(f"Mean ± standard error over {arguments.folds} folds; nats per image")
print(f"{'latent_dim':>10}{'ELBO':>16}{'log p(x)':>16}{'linear probe, %':>18}")
for k, dim in enumerate(arguments.dims):
    cells = [f"{means[name][k]:.1f} ± {errors[name][k]:.1f}" for name in ("elbo", "log_p", "probe")]
    print(f"{dim:>10}{cells[0]:>16}{cells[1]:>16}{cells[2]:>18}")
chosen = search.best_params_["latent_dim"]
final = scores(search.best_estimator_, test.x.numpy(), test.y.numpy())
print(f"\nThe ELBO chooses latent_dim={chosen}. That model, refitted, on {len(test)} images that no fold has seen:")
print(f"ELBO {final['elbo']:.1f}, log p(x) {final['log_p']:.1f}, linear probe {final['probe']:.1f} %")

figure = new_figure(9.0, 3.4)
panels = figure.subplots(1, 2)
curves = [(panels[0], "log_p", "log p(x)"), (panels[0], "elbo", "ELBO"), (panels[1], "probe", None)]
for k, (axes, name, label) in enumerate(curves):
    look = {"color": COLOURS[k], "marker": MARKERS[k], "linestyle": LINE_STYLES[k % 2], "capsize": 3}
    axes.errorbar(arguments.dims, means[name], errors[name], label=label, **look)
titles = {"Held-out bounds": "nats per image", "Linear probe": "accuracy, %"}
for axes, (title, unit) in zip(panels, titles.items(), strict=True):
    tidy(axes)
    axes.axvline(chosen, color="0.4", linestyle=":", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_xticks(arguments.dims, labels=arguments.dims)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set(xlabel="latent_dim", ylabel=unit)
panels[0].legend(framealpha=1, edgecolor="none")
print("Picture, the choice dotted:", save_figure(figure, arguments.out))
