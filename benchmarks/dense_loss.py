"""Kipf and Welling's loss in row blocks, and as a dense N x N array: ``python benchmarks/dense_loss.py``.

Value and gradient in Z, d = 16, one thread, at the size of PubMed and at 100 000 nodes, each in a process of its own
that reports its highest resident memory beyond what it had before. Dense is what the authors' code does: logits and
target as N x N arrays, a weighted cross-entropy and automatic differentiation (several GB, so it runs once a round).
The floor is that of ``pair_kernels.py``: three products of width d and a sigmoid for each unordered pair, at the rates
at which this core multiplies large matrices and takes sigmoids.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import torch
from pair_kernels import EXACT, floor_ms, rates

from graphvae.estimators.benchmark import machine_description
from graphvae.kernels.edges import EdgeSet
from graphvae.kernels.negatives import sample_pairs
from graphvae.training.randomness import seeded
from graphvae.variational.likelihoods import PairwiseBernoulli
from graphvae.variational.pseudo_likelihoods import KipfPseudoLikelihood

RESULT = Path(__file__).parent / "results" / "dense_loss.json"
DIM = 16
# Nodes and edges: PubMed's, and a larger graph.
SIZES = {19_717: 44_324, 100_000: 1_400_000}


def loss(kind: str, nodes: int, edges: int) -> Any:
    """A function that takes value and gradient once, on the same positions and edges."""
    with seeded(0, "positions", nodes):
        z = (0.3 * torch.randn(nodes, DIM)).requires_grad_()
        pairs = sample_pairs(nodes, edges).unique(dim=1)
    if kind == "blocks":
        target = EdgeSet(pairs, nodes)

        def run() -> float:
            value = -KipfPseudoLikelihood(PairwiseBernoulli(z)).log_prob(target) / nodes**2
            torch.autograd.grad(value, z)
            return float(value.detach())
    else:
        label = torch.eye(nodes)
        label[pairs[0], pairs[1]] = label[pairs[1], pairs[0]] = 1.0
        ones = 2 * pairs.shape[1]
        weight = torch.tensor((nodes**2 - ones) / ones)
        norm = nodes**2 / (2 * (nodes**2 - ones))

        def run() -> float:
            value = norm * torch.nn.functional.binary_cross_entropy_with_logits(z @ z.T, label, pos_weight=weight)
            torch.autograd.grad(value, z)
            return float(value.detach())

    return run


def measure(kind: str, nodes: int, edges: int, runs: int, queue: Any) -> None:
    """Times, peak memory and value, in a process of its own."""
    torch.set_num_threads(1)
    loss("blocks", 2000, 4000)()  # what torch loads once
    run = loss(kind, nodes, edges)
    # What set-up has freed would hide what a run needs.
    ctypes.CDLL(None).malloc_trim(0)
    process, done = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    peak = [before]

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], process.memory_info().rss)
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    seconds, value = [], 0.0
    for _ in range(runs):
        start = time.perf_counter()
        value = run()
        seconds.append(time.perf_counter() - start)
    done.set()
    watcher.join()
    queue.put({"kind": kind, "nodes": nodes, "seconds": seconds, "mib": (peak[0] - before) / 2**20, "value": value})


def apart(*arguments: Any) -> dict[str, Any]:
    """What :func:`measure` finds."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measure, args=(*arguments, queue))
    process.start()
    found = queue.get()
    process.join()
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--to", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rate = rates()
    first, larger = SIZES
    rounds = []
    for _ in range(options.rounds):
        ours = apart("blocks", first, SIZES[first], 5)
        dense = apart("dense", first, SIZES[first], 1)
        rounds.append({"blocks": ours, "dense": dense, "ratio": dense["seconds"][0] / median(ours["seconds"])})
    result = {
        "command": " ".join(["python", "benchmarks/dense_loss.py", *sys.argv[1:]]),
        "machine": machine_description(),
        "rates": rate,
        "ratio": median(each["ratio"] for each in rounds),
        "rounds": rounds,
        "larger": apart("blocks", larger, SIZES[larger], 1),
        "floor_ms": {nodes: floor_ms(nodes, DIM, EXACT, rate) for nodes in SIZES},
    }
    options.to.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
