"""VAE and IWAE on MNIST with the architecture of Burda et al. (2016): ``python benchmarks/mnist_burda.py``.

Two tanh layers of 200, 50 latents, pixels binarised anew at each step, batches of 20, Adam from 1e-3 down to 1e-4. The
paper trains 3280 epochs; here every row has the 26 that half an hour of one core allows the costliest. The test NLL is
taken by 5000 importance samples of all 10 000 test images, binarised once by seed. Rows that a result holds are not run
again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

import graphvae as gv

RESULT = Path(__file__).parent / "results" / "mnist_burda.json"
# Importance samples in training, epochs, and the published NLL in nats (table 1, one stochastic layer).
ROWS = {
    "VAE": {"samples": 1, "epochs": 26, "published": 86.76},
    "IWAE, k = 5": {"samples": 5, "epochs": 26, "published": 85.54},
    "IWAE, k = 50": {"samples": 50, "epochs": 26, "published": 84.78},
}


def model(samples: int, epochs: int) -> gv.VAE:
    """The paper's model; with one sample the importance-weighted bound is the ELBO."""
    return gv.VAE(
        latent_dim=50,
        hidden_dims=(200, 200),
        network=gv.nn.DenseNetwork("tanh"),
        likelihood="bernoulli",
        binarize="stochastic",
        objective="iwae" if samples > 1 else "elbo",
        samples=samples,
        epochs=epochs,
        batch_size=20,
        learning_rate=(1e-3, 1e-4),
        seed=0,
    )


def run(name: str, epochs: int | None, limit: int | None, importance_samples: int) -> dict[str, object]:
    """Train one row and score it on the test images."""
    row = ROWS[name]
    train, test = (gv.load_images("mnist", part=part).flat().x[:limit] for part in ("train", "test"))
    fitted = model(row["samples"], epochs or row["epochs"]).fit(train, progress=True)
    start = time.perf_counter()
    nll = -fitted.log_marginal(test, samples=importance_samples)
    elbo = fitted.elbo(test)
    return {
        "row": name,
        "epochs": epochs or row["epochs"],
        "seed": 0,
        "nll": float(nll.mean()),
        "nll_standard_error": float(nll.std(ddof=1) / np.sqrt(len(nll))),
        "elbo": float(elbo.mean()),
        "published": row["published"],
        "images": {"train": len(train), "test": len(test)},
        "importance_samples": importance_samples,
        "seconds_per_epoch": fitted.fit_seconds_ / (epochs or row["epochs"]),
        "seconds": fitted.fit_seconds_,
        "scoring_seconds": time.perf_counter() - start,
        "config": {k: str(v) for k, v in fitted.get_params(deep=False).items()},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="*", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--epochs", type=int, help="instead of each row's own")
    parser.add_argument("--limit", type=int, help="images of each part")
    parser.add_argument("--importance-samples", type=int, default=5000)
    parser.add_argument("--to", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.rows:
        done = json.loads(arguments.to.read_text())["runs"] if arguments.to.exists() else []
        if name in [each["row"] for each in done]:
            continue
        found = run(name, arguments.epochs, arguments.limit, arguments.importance_samples)
        print(json.dumps(found, indent=2))
        # Read again: another process may have added a row.
        done = json.loads(arguments.to.read_text())["runs"] if arguments.to.exists() else []
        machine = {"processor": "x86_64", "cpu": torch.backends.cpu.get_cpu_capability(), "threads": 1}
        result = {
            "command": "python benchmarks/mnist_burda.py",
            "machine": {**machine, "torch": torch.__version__},
            "runs": sorted([*done, found], key=lambda each: list(ROWS).index(each["row"])),
        }
        arguments.to.write_text(json.dumps(result, indent=2) + "\n")
