"""Calibration error over the test pairs of ten splits together: ``python benchmarks/calibration.py``.

In one split a bin has some 70 test pairs, and a forecast that is right errs in it by chance; ten splits together show
what is wrong with the probabilities themselves. Models and splits are those of the strong preset's rows in the table of
calibration.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import graphvae as gv
from graphvae.evaluation.reliability import calibration_error, calibration_floor

RESULT = Path(__file__).parent / "results" / "calibration_together.json"


def probabilities(split: gv.LinkSplit, seed: int) -> tuple[list[np.ndarray], float]:
    """Probabilities of the test's edges and non-edges, and the density they are for."""
    model = gv.VGAE.preset("strong", seed=seed).fit(split)
    pairs = (split.test.positive, split.test.negative)
    return [model.predict_proba(edge_label_index=some.numpy()) for some in pairs], model.calibration.density


def row(name: str, seeds: range) -> dict[str, Any]:
    """Errors of every split and of all together, each with what a perfect forecast would show."""
    parts, densities, each = [], [], []
    for seed in seeds:
        found, density = probabilities(gv.split_links(gv.load_graph(name), val=0.05, test=0.10, seed=seed), seed)
        each.append({"seed": seed, "error": calibration_error(*found, density)})
        parts.append(found)
        densities.append(density)
        print(name, each[-1], flush=True)
    if len(set(densities)) > 1:
        raise SystemExit(f"{name}: the splits are of different densities")
    together = [np.concatenate(some) for some in zip(*parts, strict=True)]
    return {
        "dataset": name,
        "pairs": sum(len(some) for some in together),
        "error": calibration_error(*together, densities[0]),
        "floor": calibration_floor(*together, densities[0]),
        "splits": each,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", nargs="*", default=["cora", "citeseer"])
    parser.add_argument("--first", type=int, default=0, help="the first of ten seeds")
    parser.add_argument("--to", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = {
        "command": "python benchmarks/calibration.py",
        "machine": {"processor": "x86_64", "cpu": torch.backends.cpu.get_cpu_capability(), "threads": 1},
        "bins": 15,
        "rows": [row(name, range(arguments.first, arguments.first + 10)) for name in arguments.datasets],
    }
    arguments.to.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
