"""Peak memory of a whole ``VGAE().fit`` beyond the graph itself: ``python benchmarks/fit_memory.py``.

A million nodes, 14 million edges and 64 dense features, latent dimension 16, three steps, in a process of its own. The
resident memory is sampled every 20 ms; the time of a step is that of the last.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path

import psutil
import torch
from training_step import SYNTHETIC, our_steps, synthetic

RESULT = Path(__file__).parent / "results" / "fit_memory.json"


def resident() -> float:
    """Resident memory of this process in GiB."""
    return psutil.Process().memory_info().rss / 2**30


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", choices=list(SYNTHETIC), default="1m")
    parser.add_argument("--to", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    graph = synthetic(arguments.graph)
    before, peak, done = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], resident())
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    seconds, path = our_steps(graph, 1)
    done.set()
    watcher.join()
    result = {
        "command": "python benchmarks/fit_memory.py",
        "machine": {"processor": "x86_64", "cpu": torch.backends.cpu.get_cpu_capability(), "threads": 1},
        "graph": {"nodes": graph.num_nodes, "edges": graph.num_edges, "features": graph.num_features},
        "path": path,
        "seconds_per_step": seconds,
        "data_gib": before,
        "peak_gib": peak[0],
        "beyond_gib": peak[0] - before,
    }
    print(json.dumps(result, indent=2))
    arguments.to.write_text(json.dumps(result, indent=2) + "\n")
