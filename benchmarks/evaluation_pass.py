"""Evaluation passes beside PyG's, in one process, in turns: ``python benchmarks/evaluation_pass.py``.

A pass is encode, AUC and AP of the test pairs (10 % of the edges and as many non-edges). Ours is ``link_metrics`` on
inputs built once; PyG's is ``model.test(model.encode(x, edge_index), ...)`` as in its example, with its normalisation
cached and scikit-learn's metrics. Models, graphs and ratios are those of ``training_step.py``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import sklearn
import torch
import torch_geometric
from training_step import PLANETOID, Peer, summary, synthetic

import graphvae as gv
from graphvae.estimators.fitting import inputs_of
from graphvae.estimators.link_metrics import link_metrics

RESULT = Path(__file__).parent / "results" / "evaluation_pass.json"
# Rounds, and passes in a round.
TURNS = {"cora": (25, 10), "citeseer": (25, 10), "pubmed-size": (15, 5), "100k": (5, 3)}


def seconds(call: Callable[[], Any], passes: int) -> float:
    """Median seconds of a pass."""
    times = [time.perf_counter()]
    for _ in range(passes):
        call()
        times.append(time.perf_counter())
    return statistics.median(b - a for a, b in pairwise(times))


def measure(name: str) -> dict[str, Any]:
    """All figures of one graph."""
    graph = gv.load_graph(name) if name in PLANETOID else synthetic(name)
    split = gv.split_links(graph, val=0.05, test=0.10, seed=0)
    data = split.train.to_pyg()
    data.x = data.x.to_dense() if data.x.layout != torch.strided else data.x
    peer, inputs, module = Peer(data), inputs_of(split.train), gv.VGAE(epochs=2).fit(split.train).fitted.module
    peer.step()
    calls = {
        "ours": lambda: link_metrics(module, inputs, split.test),
        "peer": lambda: peer.validate(split.test.positive, split.test.negative),
    }
    rounds, passes = TURNS[name]
    for call in calls.values():
        call()
    found = [{key: seconds(call, passes) for key, call in calls.items()} for _ in range(rounds)]
    pairs = split.test.positive.shape[1] + split.test.negative.shape[1]
    row = {"graph": name, "nodes": graph.num_nodes, "edges": split.train.num_edges, "pairs": pairs}
    row["pass"] = summary(found)
    print(json.dumps({**row, "pass": {k: v for k, v in row["pass"].items() if k != "rounds"}}), flush=True)
    return row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", nargs="*", choices=list(TURNS), default=list(TURNS))
    parser.add_argument("--to", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(name) for name in arguments.graphs]
    machine = {"processor": "x86_64", "cpu": torch.backends.cpu.get_cpu_capability(), "threads": 1}
    packages = (torch, torch_geometric, sklearn)
    versions = {package.__name__: package.__version__ for package in packages}
    if arguments.to:
        command = f"python benchmarks/evaluation_pass.py --graphs {' '.join(arguments.graphs)} --to {arguments.to.name}"
        result = {"command": command, "machine": {**machine, **versions}, "rows": rows}
        arguments.to.write_text(json.dumps(result, indent=2) + "\n")
