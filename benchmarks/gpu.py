"""What a GPU makes of it: ``python benchmarks/gpu.py``; exit status 2 where torch finds none.

Times of the exact sum over all pairs with its gradient (the Triton kernel), of a training step on Cora (a CUDA graph)
and on a million nodes and 14 million edges (the control variate), each beside its floor; and AUC and AP of the same
splits trained on the GPU and on a CPU. A step is the difference of two fits by the epochs between them.

Floors: of the exact sum, the larger of an exponential and a reciprocal for each unordered pair at the rate of the
special function units (16 a cycle and multiprocessor) and three products of width d at the rate of a large product in
tf32; of a step on Cora, its kernels at the rate at which a graph launches empty ones; of the large step, its gathers
and passes at the rate of a copy. ``--tune`` times the kernel with other tiles. ``--dry-run`` goes through all of it on
a CPU with toy sizes, Triton interpreted (``TRITON_INTERPRET=1``): it proves that the script runs, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

import graphvae as gv
from graphvae.estimators.benchmark import machine_description
from graphvae.kernels.triton_pairs import PRECISIONS, Tiles, choose_tiles, pair_sums
from graphvae.training.randomness import seeded

RESULT = Path(__file__).parent / "results" / "gpu.json"
TUNE = [(64, 32, 4), (128, 32, 4), (128, 32, 8), (128, 64, 8), (256, 32, 8), (256, 64, 8)]
TOY, FULL = "toy", "full"
SIZES: dict[str, dict[str, Any]] = {
    FULL: {
        "pairs": [2_708, 19_717, 100_000, 1_000_000],
        "small": ("cora", 50, 1050),
        "large": (1_000_000, 14_000_000, 64, 10, 40),
        "datasets": ["cora", "citeseer", "pubmed:featureless"],
        "epochs": 200,
        "square": 8192,
        "copy": 1 << 28,
        "repeats": 10,
    },
    TOY: {
        "pairs": [20, 40],
        "small": ("karate", 24, 26),
        "large": (300, 900, 4, 1, 2),
        "datasets": ["karate"],
        "epochs": 3,
        "square": 32,
        "copy": 1 << 10,
        "repeats": 2,
    },
}


def seconds(run: Callable[[], Any], device: torch.device, repeats: int) -> dict[str, float]:
    """Median, best and worst of so many calls after one that is not counted, the device awaited."""

    def once() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    once()
    times = [once() for _ in range(repeats)]
    return {"median": statistics.median(times), "minimum": min(times), "maximum": max(times)}


def rates(device: torch.device, size: dict[str, Any]) -> dict[str, float]:
    """What this device does in a second: products in tf32, bytes copied, special functions; and seconds of a launch."""
    a = torch.randn(size["square"], size["square"], device=device)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    product = seconds(lambda: a @ a, device, size["repeats"])["minimum"]
    torch.set_float32_matmul_precision(before)
    x = torch.randn(size["copy"], device=device)
    y = torch.empty_like(x)
    found = {
        "flop_per_s": 2 * size["square"] ** 3 / product,
        "byte_per_s": 8 * x.numel() / seconds(lambda: y.copy_(x), device, size["repeats"])["minimum"],
    }
    launches, one = 1000, torch.zeros(1, device=device)
    if device.type != "cuda":
        eager = seconds(lambda: [one.add_(1) for _ in range(launches)], device, 3)["minimum"]
        return found | {"special_per_s": 1e9, "launch_s": eager / launches, "graph_launch_s": eager / launches}
    # Where torch does not tell the clock, that of an H200 at its highest.
    chip = torch.cuda.get_device_properties(device)
    graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)
    with torch.cuda.graph(graph, stream=side):
        for _ in range(launches):
            one.add_(1)
    return found | {
        "special_per_s": 16.0 * chip.multi_processor_count * 1e3 * getattr(chip, "clock_rate", 1.98e6),
        "launch_s": seconds(lambda: [one.add_(1) for _ in range(launches)], device, 5)["minimum"] / launches,
        "graph_launch_s": seconds(graph.replay, device, 5)["minimum"] / launches,
    }


def exact_sums(device: torch.device, size: dict[str, Any], rate: dict[str, float], d: int = 16) -> list[dict[str, Any]]:
    """Value and gradient of the exact sum, by number of nodes and precision; errors against float64 where small."""
    rows = []
    for n in size["pairs"]:
        with seeded(0, n):
            z = (0.5 * torch.randn(n, d)).to(device)
        scale, bias = torch.ones((), device=device), torch.full((), -2.0, device=device)
        pairs = n * (n + 1) / 2
        floor = max(2 * pairs / rate["special_per_s"], 6 * d * pairs / rate["flop_per_s"])
        for precision in PRECISIONS:
            take = partial(pair_sums, z, scale, bias, precision=precision)
            spent = seconds(take, device, size["repeats"])
            row = {"nodes": n, "latent_dim": d, "precision": precision, "seconds": spent, "floor_seconds": floor}
            (value, g, _), again = take(), take()
            row["same_bits_again"] = bool(value == again[0]) and torch.equal(g, again[1])
            if n <= 20_000:
                wide = z.double()
                s = wide @ wide.T + bias.double()
                reference, slope = torch.nn.functional.softplus(s, threshold=50).sum(), s.sigmoid() @ wide
                row["value_error"] = float((value - reference).abs() / reference)
                row["gradient_error"] = float((g - slope).norm() / slope.norm())
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def tune(device: torch.device, size: dict[str, Any], d: int = 16) -> list[dict[str, Any]]:
    """The largest of the exact sums but one, with other tiles."""
    n, rows = size["pairs"][-2], []
    z, scale, bias = (
        0.5 * torch.randn(n, d, device=device),
        torch.ones((), device=device),
        torch.zeros((), device=device),
    )
    for tiles in dict.fromkeys([choose_tiles(n, d), *(Tiles(*each) for each in TUNE)]):
        spent = seconds(partial(pair_sums, z, scale, bias, tiles=tiles), device, size["repeats"])
        rows.append({"nodes": n, "latent_dim": d, "tiles": tiles._asdict(), "seconds": spent})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def step_of_fit(graph: gv.Graph, device: torch.device, few: int, many: int) -> tuple[float, str]:
    """Seconds of a step: two fits, by the epochs between them; and the path that was taken."""
    gv.VGAE(epochs=few, device=device.type).fit(graph)  # what is compiled or reserved once
    fits = [gv.VGAE(epochs=epochs, device=device.type).fit(graph).fitted for epochs in (few, many)]
    return (fits[1].seconds - fits[0].seconds) / (many - few), fits[0].path


def kernels_of_step(graph: gv.Graph, device: torch.device) -> int:
    """Kernels that one step launches: of two short fits, too short to be captured, the difference."""
    from torch.profiler import ProfilerActivity, profile

    def count(epochs: int) -> int:
        activity = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
        with profile(activities=[activity]) as watched:
            gv.VGAE(epochs=epochs, device=device.type).fit(graph)
        return sum(row.count for row in watched.key_averages() if "Memcpy" not in row.key and "Memset" not in row.key)

    count(5)
    return count(7) - count(6)


def small_step(device: torch.device, size: dict[str, Any], rate: dict[str, float]) -> dict[str, Any]:
    """A training step on a small graph, which is a matter of launches."""
    name, few, many = size["small"]
    graph = gv.load_graph(name)
    spent, path = step_of_fit(graph, device, few, many)
    kernels = kernels_of_step(graph, device)
    row = {"graph": name, "path": path, "seconds": spent, "kernels": kernels}
    row["floor_seconds"] = kernels * rate["graph_launch_s"]
    print(json.dumps(row), flush=True)
    return row


def large_step(device: torch.device, size: dict[str, Any], rate: dict[str, float]) -> dict[str, Any]:
    """A training step on a large graph of uniform random edges, which is a matter of memory."""
    nodes, edges, features, few, many = size["large"]
    with seeded(0, nodes, edges):
        drawn = torch.randint(nodes, (2, edges + edges // 50), dtype=torch.int64)
        x = torch.randn(nodes, features)
    drawn = drawn[:, drawn[0] != drawn[1]].sort(0).values
    keys = torch.unique(drawn[0] * nodes + drawn[1])[:edges]
    pairs = torch.stack([keys // nodes, keys % nodes])
    both = torch.cat([pairs, pairs.flip(0)], 1)
    both = both[:, torch.argsort(both[0] * nodes + both[1])]
    graph = gv.Graph(edge_index=both, num_nodes=nodes, x=x)
    spent, path = step_of_fit(graph, device, few, many)
    # Two propagations of width 32; edges' ends gathered, and their gradient as a product of width 16; the first layer
    # and its gradient read x; about thirty passes over what has 16 numbers a node.
    entries = both.shape[1]
    traffic = 2 * (entries + nodes) * (4 * 32 + 8) + entries * (2 * 4 * 16 + 8) + 4 * nodes * (2 * features + 30 * 16)
    row = {"nodes": nodes, "edges": graph.num_edges, "features": features, "path": path, "seconds": spent}
    row["floor_seconds"] = traffic / rate["byte_per_s"]
    print(json.dumps(row), flush=True)
    return row


def accuracy(device: torch.device, size: dict[str, Any], splits: int) -> list[dict[str, Any]]:
    """AUC and AP of the default model on the device and on the CPU, over the same splits."""
    rows = []
    for name in size["datasets"]:
        base, _, view = name.partition(":")
        graph = gv.load_graph(base, features=not view)
        runs: dict[str, list[tuple[float, float]]] = {"device": [], "cpu": []}
        for seed in range(splits):
            split = gv.split_links(graph, val=0.05, test=0.10, seed=seed)
            for where, kind in (("device", device.type), ("cpu", "cpu")):
                model = gv.VGAE(epochs=size["epochs"], seed=seed, device=kind).fit(split)
                report = model.evaluate(split)
                runs[where].append((report.auc, report.ap))
        for index, figure in enumerate(("auc", "ap")):
            ours, cpu = ([run[index] for run in runs[where]] for where in ("device", "cpu"))
            differences = [a - b for a, b in zip(ours, cpu, strict=True)]
            row: dict[str, Any] = {"dataset": name, "figure": figure, "splits": splits}
            for key, values in (("device", ours), ("cpu", cpu), ("difference", differences)):
                spread = statistics.stdev(values) if splits > 1 else None
                row[key] = {"mean": statistics.mean(values), "standard_deviation": spread, "values": values}
            rows.append(row)
            print(json.dumps({**row, "device": row["device"]["mean"], "cpu": row["cpu"]["mean"]}), flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--tune", action="store_true", help="time the kernel with other tiles, too")
    parser.add_argument("--dry-run", action="store_true", help="toy sizes on a CPU, Triton interpreted")
    parser.add_argument("--to", type=Path, default=RESULT)
    options = parser.parse_args()
    if not options.dry_run and not torch.cuda.is_available():
        print("benchmarks/gpu.py: error: torch finds no CUDA device here", file=sys.stderr)
        return 2
    if options.dry_run and (os.environ.get("TRITON_INTERPRET") != "1" or options.to == RESULT):
        print("benchmarks/gpu.py: error: --dry-run expects TRITON_INTERPRET=1 and --to FILE", file=sys.stderr)
        return 2
    device, size = torch.device("cpu" if options.dry_run else "cuda"), SIZES[TOY if options.dry_run else FULL]
    torch.set_num_threads(1)
    rate = rates(device, size)
    result: dict[str, Any] = {
        "command": " ".join(["python", "benchmarks/gpu.py", *sys.argv[1:]]),
        "dry_run": options.dry_run,
        "machine": machine_description(),
        "rates": rate,
        "exact": exact_sums(device, size, rate),
        "tiles": tune(device, size) if options.tune else [],
        "small_step": small_step(device, size, rate),
        "large_step": large_step(device, size, rate),
        "accuracy": accuracy(device, size, options.splits),
    }
    options.to.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
