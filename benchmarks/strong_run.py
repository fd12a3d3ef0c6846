"""Seconds of one strong run on Cora, the first of its process: ``python benchmarks/strong_run.py``.

Fitting as a user would, with the usual threads, and scoring held-out pairs (AUC and AP), on splits that settings are
chosen on; reading the graph and drawing the split are not counted. Each run is a process of its own, so whatever is
loaded on the way is counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

import graphvae as gv
from graphvae.evaluation.metrics import average_precision, roc_auc

RESULT = Path(__file__).parent / "results" / "strong_run.json"


def one(seed: int) -> dict[str, float]:
    """Seconds, AUC and AP of one run."""
    split = gv.split_links(gv.load_graph("cora"), val=0.05, test=0.10, seed=seed)
    start = time.perf_counter()
    model = gv.VGAE.preset("strong", seed=seed).fit(split)
    pairs = (split.test.positive, split.test.negative)
    scores = [model.predict_proba(edge_label_index=some.numpy()) for some in pairs]
    figures = {"auc": roc_auc(*scores), "ap": average_precision(*scores)}
    return {"seed": seed, "seconds": time.perf_counter() - start, "threads": torch.get_num_threads(), **figures}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--one", type=int, help="only this seed, here, printed")
    parser.add_argument("--to", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(json.dumps(one(arguments.one)))
        raise SystemExit
    runs = []
    for seed in range(100, 100 + arguments.runs):
        command = [sys.executable, __file__, "--one", str(seed)]
        runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(runs[-1], flush=True)
    result = {
        "command": "python benchmarks/strong_run.py",
        "machine": {
            "processor": "x86_64",
            "cpu": torch.backends.cpu.get_cpu_capability(),
            "cores": os.cpu_count(),
            "torch": torch.__version__,
        },
        "runs": runs,
    }
    arguments.to.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
