"""Time of a step and peak memory against the number of nodes, for both paths: ``python benchmarks/growth.py``.

Random graphs of mean degree 28 with 64 dense features, latent dimension 16, ``VGAE().fit`` on one thread, each size and
path in a process of its own: the median step, and the resident memory at its highest, sampled every 5 ms, beyond that
of the process that holds the graph. Exponents are slopes of a line through the logarithms, from 10 000 nodes on, where
fixed costs no longer show. The exact path stops where a step takes minutes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from training_step import our_steps, random_graph

from graphvae.estimators.benchmark import machine_description

HERE = Path(__file__).parent
RESULT, PICTURE = HERE / "results" / "growth.json", HERE.parent / "docs" / "images" / "growth.png"
EDGES_PER_NODE, FEATURES = 14, 64
FROM = 10_000
# The most nodes of each path.
LIMITS = {"exact": 100_000, "control-variate": 1_000_000}


def measure(nodes: int, path: str, queue: Any) -> None:
    """One row, in a process of its own."""
    torch.set_num_threads(1)
    our_steps(random_graph(100, 200, FEATURES, None), 1, f"kipf:{path}")  # what torch loads once
    graph = random_graph(nodes, EDGES_PER_NODE * nodes, FEATURES, None)
    process, done = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    peak = [before]

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], process.memory_info().rss)
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    steps = 20 if nodes <= 10_000 else 5 if nodes <= 100_000 and path != "exact" else 1
    seconds, _ = our_steps(graph, steps, f"kipf:{path}")
    done.set()
    watcher.join()
    queue.put({"nodes": nodes, "path": path, "seconds": seconds, "mib": (peak[0] - before) / 2**20, "steps": steps})


def exponents(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Slopes of log time and log memory in log N, by path."""
    found: dict[str, dict[str, float]] = {}
    for path in LIMITS:
        chosen = [row for row in rows if row["path"] == path and row["nodes"] >= FROM]
        if len(chosen) > 1:
            nodes = np.log([row["nodes"] for row in chosen])
            found[path] = {
                key: float(np.polyfit(nodes, np.log([row[key] for row in chosen]), 1)[0]) for key in ("seconds", "mib")
            }
    return found


def draw(result: dict[str, Any], to: Path) -> None:
    """Both quantities against N, on logarithmic axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    styles = {"exact": ("#444444", "s", "--"), "control-variate": ("#0072b2", "o", "-")}
    for axis, key, label in zip(figure.subplots(1, 2), ("seconds", "mib"), ("seconds a step", "peak MiB"), strict=True):
        for path, (colour, marker, line) in styles.items():
            rows = [row for row in result["rows"] if row["path"] == path]
            slope = result["exponents"].get(path, {}).get(key)
            name = path.replace("-", " ") + ("" if slope is None else f", N^{slope:.2f}")
            axis.loglog(
                [row["nodes"] for row in rows],
                [row[key] for row in rows],
                line,
                color=colour,
                marker=marker,
                label=name,
            )
        axis.set(xlabel="nodes", ylabel=label)
        axis.grid(visible=True, alpha=0.3)
        axis.legend(frameon=False)
    to.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(to, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
    parser.add_argument("--nodes", type=int, nargs="+", default=sizes)
    parser.add_argument("--to", type=Path, default=RESULT)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    context, rows = multiprocessing.get_context("spawn"), []
    for nodes in options.nodes:
        for path in (path for path, limit in LIMITS.items() if nodes <= limit):
            queue = context.Queue()
            process = context.Process(target=measure, args=(nodes, path, queue))
            process.start()
            rows.append(queue.get())
            process.join()
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    command = " ".join(["python", "benchmarks/growth.py", *sys.argv[1:]])
    result = {"command": command, "machine": machine_description(), "rows": rows, "exponents": exponents(rows)}
    options.to.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(result, options.picture)


if __name__ == "__main__":
    main()
