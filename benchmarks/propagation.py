"""Backends of ``propagate`` side by side: ``python benchmarks/propagation.py``.

torch's embedding bag, the default where the kernels in C are not compiled, against torch-scatter's ``segment_csr``,
which reduces each row's segment in one fixed order: one product with a normalised adjacency and its gradient, in turns
in one process, on uniform random graphs. A ratio is taken within a round; the result holds its median and quartiles.
On a GPU with ``--device cuda``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphvae.estimators.benchmark import machine_description
from graphvae.kernels.negatives import sample_pairs
from graphvae.kernels.propagation import propagate
from graphvae.kernels.sparse import SparseMatrix, normalised_adjacency
from graphvae.training.randomness import seeded

RESULT = Path(__file__).parent / "results" / "propagation.json"
BACKENDS = ("sparse", "scatter")
GRAPHS = {"cora-size": (2_708, 5_278), "pubmed-size": (19_717, 44_324), "100k": (100_000, 1_400_000)}


def adjacency(nodes: int, edges: int, device: torch.device) -> SparseMatrix:
    """The propagation matrix of uniform random edges."""
    with seeded(0, nodes, edges):
        pairs = sample_pairs(nodes, edges).unique(dim=1)
    both = torch.cat([pairs, pairs.flip(0)], 1)
    return normalised_adjacency(both[:, torch.argsort(both[0] * nodes + both[1])], nodes).to(device=device)


def milliseconds(matrix: SparseMatrix, x: torch.Tensor, backend: str) -> float:
    """One product and its gradient."""
    if x.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    out = propagate(matrix, x, backend)
    torch.autograd.grad(out, x, out.detach())
    if x.is_cuda:
        torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - start)


def measure(name: str, width: int, rounds: int, device: torch.device) -> dict[str, Any]:
    """Medians of both backends and the ratio of their times within rounds."""
    matrix = adjacency(*GRAPHS[name], device)
    with seeded(0, "x"):
        x = torch.randn(matrix.shape[0], width).to(device).requires_grad_()
    times = {backend: [] for backend in BACKENDS}
    for round_ in range(rounds + 1):
        for backend in BACKENDS:
            elapsed = milliseconds(matrix, x, backend)
            if round_:  # the first is for what is allocated once
                times[backend].append(elapsed)
    ratios = np.array(times["scatter"]) / np.array(times["sparse"])
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    row = {"graph": name, "nodes": matrix.shape[0], "entries": matrix.values.numel(), "width": width}
    row |= {f"{backend}_ms": float(np.median(times[backend])) for backend in BACKENDS}
    row |= {"ratio": middle, "quartiles": [low, high], "rounds": rounds}
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", nargs="+", choices=list(GRAPHS), default=list(GRAPHS))
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--to", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    rows = [measure(name, width, options.rounds, device) for name in options.graphs for width in options.widths]
    command = " ".join(["python", "benchmarks/propagation.py", *sys.argv[1:]])
    result = {"command": command, "machine": machine_description(), "rows": rows}
    options.to.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
