"""A million-edge CSV with string ids, and recommendations among 100 000 nodes: ``python benchmarks/own_data.py``.

Each case runs in a process of its own on one thread, from a file or a run folder that another process has written; the
clock starts after ``import graphvae``. The resident memory is sampled every 10 ms.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

RESULT = Path(__file__).parent / "results" / "own_data.json"
EDGES, NODES = 1_000_000, 200_000
LARGE, EDGES_OF_LARGE, ASKED, K = 100_000, 1_000_000, 1000, 10


def write_edges(folder: Path) -> None:
    """A CSV of ``EDGES`` different pairs of nodes with names such as ``user-0001f3ab``."""
    rng = np.random.default_rng(0)
    keys = np.unique(rng.integers(0, NODES * NODES, 2 * EDGES))
    u, v = np.divmod(rng.permutation(keys[keys // NODES < keys % NODES])[:EDGES], NODES)
    names = np.array([f"user-{i:08x}" for i in rng.permutation(NODES)], dtype=object)
    lines = names[u] + "," + names[v]
    (folder / "edges.csv").write_text("source,target\n" + "\n".join(lines.tolist()) + "\n", encoding="utf-8")


def load_csv(folder: Path) -> dict[str, int]:
    """``Graph.from_edges`` of the CSV."""
    import graphvae as gv

    graph = gv.Graph.from_edges(folder / "edges.csv", source="source", target="target")
    return {"nodes": graph.num_nodes, "edges": graph.num_edges}


def write_run(folder: Path) -> None:
    """A run folder of a model of 100 000 nodes, trained for one epoch."""
    import graphvae as gv

    pairs = torch.randint(0, LARGE, (2, EDGES_OF_LARGE), generator=torch.Generator().manual_seed(0))
    pairs = pairs[:, pairs[0] != pairs[1]]
    graph = gv.Graph.from_edges(pairs.numpy(), num_nodes=LARGE)
    gv.VGAE(epochs=1).fit(graph).save(folder / "run")


def recommend(folder: Path) -> dict[str, int]:
    """The run loaded, and the ten best partners of a thousand of its nodes found."""
    import graphvae as gv

    model = gv.load(folder / "run")
    asked = np.random.default_rng(0).choice(LARGE, ASKED, replace=False)
    links = model.recommend(asked, k=K)
    return {"nodes": LARGE, "edges": model.fitted.graph().num_edges, "asked": ASKED, "k": K, "links": len(links)}


CASES = {"load_csv": (write_edges, load_csv), "recommend": (write_run, recommend)}


def resident() -> float:
    """Resident memory of this process in MiB."""
    return psutil.Process().memory_info().rss / 2**20


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Time and memory of one case, in this process."""
    import graphvae as gv

    gv.Graph, gv.load  # noqa: B018 - the face is lazy
    before, peak, done = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, start_cpu = time.perf_counter(), time.process_time()
    facts = CASES[name][1](folder)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    done.set()
    watcher.join()
    beyond = max(peak[0], before) - before
    return {**facts, "seconds": seconds, "cpu_seconds": cpu, "import_mib": before, "beyond_mib": beyond}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prepare", help="only write the files of this case into --folder")
    parser.add_argument("--case", help="only measure this case, of the files in --folder, and print it")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--to", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.prepare:
        CASES[arguments.prepare][0](arguments.folder)
        sys.exit()
    if arguments.case:
        print(json.dumps(measure(arguments.case, arguments.folder)))
        sys.exit()
    cases = {}
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--folder", folder]
            subprocess.run([*command, "--prepare", name], check=True)
            done = subprocess.run([*command, "--case", name], capture_output=True, text=True, check=True)
            cases[name] = json.loads(done.stdout)
    result = {
        "command": "python benchmarks/own_data.py",
        "machine": {"processor": "x86_64", "cpu": torch.backends.cpu.get_cpu_capability(), "threads": 1},
        "versions": {"torch": str(torch.__version__), "python": platform.python_version()},
        "cases": cases,
    }
    print(json.dumps(result, indent=2))
    arguments.to.write_text(json.dumps(result, indent=2) + "\n")
