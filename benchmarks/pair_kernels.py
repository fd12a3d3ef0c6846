"""The sum over all pairs with its gradient, exact and by control variate: ``python benchmarks/pair_kernels.py``.

One thread; the kernels take turns, so that whatever else the machine does meets all of them alike. They are torch's
operators, with or without a compiler: which path a run takes must not depend on one. Kept are all times, by the clock
and of the thread (which a busy machine disturbs least); the cost model is fitted to medians of the latter. Peak memory
is that of a process of its own, less what it had before. Floors are what the arithmetic or the traffic alone would take
at rates measured here and now.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls

from graphvae.estimators.benchmark import machine_description
from graphvae.kernels import native
from graphvae.kernels.control_variate import ControlVariate, pair_softplus_estimate
from graphvae.kernels.negatives import sample_pairs
from graphvae.kernels.pairs import pair_softplus_sum
from graphvae.training.randomness import seeded

RESULT = Path(__file__).parent / "results" / "pair_kernels.json"
SHIFTS = 2
EDGES_PER_NODE = 7
EXACT, ESTIMATE, WITH_EDGES = "exact", "control variate", "control variate, edges exact"


def kernels(n: int, d: int, largest_exact: int) -> dict[str, Callable[[], Any]]:
    """One value and gradient of each kernel, on the same positions."""
    with seeded(0, "positions", n, d):
        z = (torch.randn(n, d) * 0.5).requires_grad_()
        pairs = sample_pairs(n, EDGES_PER_NODE * n).unique(dim=1)
    scale, bias = torch.tensor(1.0, requires_grad=True), torch.tensor(-2.0, requires_grad=True)
    logits = torch.zeros(pairs.shape[1], requires_grad=True)
    plain, knowing = ControlVariate(n), ControlVariate(n, pairs)

    def estimate() -> Any:
        return torch.autograd.grad(pair_softplus_estimate(z, scale, bias, plain, shifts=SHIFTS), (z, scale, bias))

    def estimate_with_edges() -> Any:
        value = pair_softplus_estimate(z, scale, bias, knowing, edge_logits=logits, shifts=SHIFTS)
        return torch.autograd.grad(value, (z, scale, bias, logits))

    def exact() -> Any:
        return torch.autograd.grad(pair_softplus_sum(z, scale, bias), (z, scale, bias))

    found = {ESTIMATE: estimate, WITH_EDGES: estimate_with_edges}
    return {EXACT: exact, **found} if n <= largest_exact else found


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds of one call: by the wall clock, and of this thread."""
    wall, own = time.perf_counter(), time.thread_time()
    run()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.thread_time() - own)


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": middle, "quartile_1": low, "quartile_3": high, "minimum": min(values)}


def measure(n: int, d: int, runs: int, slow_runs: int, largest_exact: int) -> list[dict[str, Any]]:
    """Rows of one size; an exact sum of more than 20 000 nodes takes part in the first few rounds only."""
    found = kernels(n, d, largest_exact)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    with seeded(0, "shifts", n, d):
        for name, run in found.items():
            if name != EXACT or n <= 20_000:
                run()  # what is allocated or fitted once
        for round_ in range(runs):
            for name, run in found.items():
                if name != EXACT or n <= 20_000 or round_ < slow_runs:
                    times[name].append(timed(run))
    rows = []
    for name, pairs in times.items():
        wall, own = (list(each) for each in zip(*pairs, strict=True))
        row = {"nodes": n, "latent_dim": d, "kernel": name, "runs": len(pairs)}
        row |= {"wall_ms": spread(wall), "thread_ms": spread(own), "peak_mib": in_a_process(n, d, name)}
        rows.append(row | {"all_wall_ms": wall, "all_thread_ms": own})
        print(
            f"{n:>8} {d:>3} {name:<30} wall {np.median(wall):9.2f} ms, thread {np.median(own):9.2f} ms", file=sys.stderr
        )
    return rows


def in_a_process(n: int, d: int, name: str) -> float | None:
    """Peak memory of one call beyond what there was before, in MiB; None for exact sums that take long."""
    if name == EXACT and n > 20_000:
        return None
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_peak, args=(n, d, name, queue))
    process.start()
    peak = queue.get()
    process.join()
    return peak


def _peak(n: int, d: int, name: str, queue: Any) -> None:
    torch.set_num_threads(1)
    native.load = lambda: None
    kernels(500, d, 500)[name]()  # what torch loads once
    run = kernels(n, d, n)[name]
    status = Path("/proc/self/status")
    if not status.exists():
        queue.put(None)
        return

    def kib(field: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(field))
        return int(line.split()[1])

    ctypes.CDLL(None).malloc_trim(0)  # what was freed is not at hand
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = kib("VmRSS")
    run()
    queue.put((kib("VmHWM") - before) / 1024)


def rates(repeats: int = 15) -> dict[str, float]:
    """What one thread of this machine can do; the best of a few, since a floor is what nothing disturbs."""
    a, s, big = torch.randn(1024, 1024), torch.randn(1 << 14), torch.randn(1 << 25)
    other = torch.empty_like(big)

    def best(run: Callable[[], Any]) -> float:
        run()
        return min(timed(run)[1] for _ in range(repeats)) / 1e3

    return {
        "gflop_per_s": 2 * 1024**3 / best(lambda: a @ a) / 1e9,
        "copy_gb_per_s": 8 * big.numel() / best(lambda: other.copy_(big)) / 1e9,
        "sigmoid_ns": best(lambda: torch.sigmoid(s)) / s.numel() * 1e9,
        "softplus_ns": best(lambda: torch.nn.functional.softplus(s)) / s.numel() * 1e9,
    }


def floor_ms(n: int, d: int, kernel: str, rate: dict[str, float]) -> float:
    """Exact: for each unordered pair three products of width d and a sigmoid, at the rate of large products. Estimate:
    z read, its gradient written and read again, and for each shift the partners' rows read and their gradients read and
    written, at the rate of a copy; and a sigmoid and a softplus for each node and shift, the diagonal included."""
    if kernel == EXACT:
        return n * (n + 1) / 2 * (6 * d / rate["gflop_per_s"] + rate["sigmoid_ns"]) / 1e6
    traffic = n * d * 4 * 3 * (1 + SHIFTS) / rate["copy_gb_per_s"]
    return (traffic + n * (1 + SHIFTS) * (rate["sigmoid_ns"] + rate["softplus_ns"])) / 1e6


def cost_model(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """``exact = N² (a + b d)``, ``estimate = c + N (e + f d) + g E``, in ns, by relative least squares; crossovers."""

    def fit(names: list[str], terms: Callable[[int, int, int], list[float]]) -> list[float]:
        chosen = [row for row in rows if row["kernel"] in names]
        target = np.array([1e6 * row["thread_ms"]["median"] for row in chosen])
        edges = [EDGES_PER_NODE * row["nodes"] * (row["kernel"] == WITH_EDGES) for row in chosen]
        design = [terms(row["nodes"], row["latent_dim"], e) for row, e in zip(chosen, edges, strict=True)]
        return nnls(np.array(design) / target[:, None], np.ones(len(target)))[0].tolist()

    a, b = fit([EXACT], lambda n, d, e: [n * n, n * n * d])
    c, e, f, g = fit([ESTIMATE, WITH_EDGES], lambda n, d, m: [1, n, n * d, m])
    crossover = {}
    for d in sorted({row["latent_dim"] for row in rows}):
        # N² (a + b d) = c + N (e + f d + g E / N)
        square, linear = a + b * d, e + f * d + g * EDGES_PER_NODE
        crossover[d] = (linear + np.sqrt(linear**2 + 4 * square * c)) / (2 * square)
    return {
        "exact_ns": {"per_pair": a, "per_pair_and_dimension": b},
        "estimate_ns": {"per_call": c, "per_node": e, "per_node_and_dimension": f, "per_edge": g},
        "crossover_nodes": crossover,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1000, 2708, 3327, 19717, 100_000, 1_000_000])
    parser.add_argument("--dims", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--slow-runs", type=int, default=3, help="of an exact sum of more than 20 000 nodes")
    parser.add_argument("--largest-exact", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    native.load = lambda: None
    rate = rates()
    rows = []
    for d in options.dims:
        for n in options.nodes:
            # The widest arrays of the largest graph tell nothing new, and the longest sums take minutes.
            first = d == min(options.dims)
            if first or n < 1_000_000:
                largest = options.largest_exact if first else min(options.largest_exact, 20_000)
                rows += measure(n, d, options.runs, options.slow_runs, largest)
    for row in rows:
        row["floor_ms"] = floor_ms(row["nodes"], row["latent_dim"], row["kernel"], rate)
    result = {
        "command": " ".join(["python", "benchmarks/pair_kernels.py", *sys.argv[1:]]),
        "machine": machine_description()
        | {name: os.environ.get(name) for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")},
        "shifts": SHIFTS,
        "edges_per_node": EDGES_PER_NODE,
        "rates": rate,
        "cost_model": cost_model(rows),
        "rows": rows,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["cost_model"], indent=1))


if __name__ == "__main__":
    main()
