"""Graphs no setting was chosen on: ``auto`` beside the plain model and the nine baselines, on the same splits.

``python benchmarks/untuned.py`` needs no data but what is installed. Graphs with planted structure come from networkx,
others are embedded, and one is real and at hand everywhere: which modules of installed packages import which. With
``--folder`` the graphs are networks in a folder of MATLAB files, as Zhang and Chen (2018) publish theirs in the folder
``MATLAB/data`` of the repository of SEAL. Finished runs are kept, so it goes on where it was interrupted. The test part
is read once per run.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import scipy.io
import torch

import graphvae as gv

RESULT = Path(__file__).parent / "results" / "untuned.json"
METRICS = ("auc", "ap", "mrr", "hits@10")
PACKAGES = ("networkx", "numpy", "scipy", "sklearn")


def imports() -> nx.Graph:
    """Modules of installed packages, linked where one imports the other; tests are left out."""
    roots = [Path(str(spec.origin)).parent for name in PACKAGES if (spec := importlib.util.find_spec(name))]
    files = {_module(file, root): file for root in roots for file in root.rglob("*.py") if "tests" not in file.parts}
    links = nx.Graph()
    for module, file in files.items():
        for other in _imported(module, file):
            if other in files and other != module:
                links.add_edge(module, other)
    return links


def _module(file: Path, root: Path) -> str:
    parts = (root.name, *file.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(module: str, file: Path) -> Iterator[str]:
    package = module.split(".") if file.stem == "__init__" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def plain(graph: nx.Graph) -> gv.Graph:
    """Edges alone, nodes in the order of their names."""
    names = {node: row for row, node in enumerate(sorted(graph, key=str))}
    pairs = sorted(sorted((names[u], names[v])) for u, v in graph.edges() if u != v)
    return gv.Graph.from_edges(np.array(pairs).T)


def attributed_blocks() -> gv.Graph:
    """Six blocks; a node's features are noisy signs of its block."""
    sizes, rng = [100] * 6, np.random.default_rng(0)
    links = nx.stochastic_block_model(sizes, (0.05 * np.eye(6) + 0.004).tolist(), seed=0)
    block = np.repeat(np.arange(6), sizes)
    x = (rng.uniform(size=(600, 120)) < np.where(np.arange(120) % 6 == block[:, None], 0.2, 0.08)).astype(np.float32)
    pairs = np.array(sorted(links.edges())).T
    return gv.Graph(torch.from_numpy(np.concatenate([pairs, pairs[::-1]], 1)), x=torch.from_numpy(x), num_nodes=600)


GRAPHS: dict[str, Callable[[], gv.Graph]] = {
    "karate": lambda: gv.load_graph("karate"),
    "les miserables": lambda: gv.load_graph("lesmis"),
    "digits-knn": lambda: gv.load_graph("digits-knn"),
    "imports of Python packages": lambda: plain(imports()),
    "blocks with features": attributed_blocks,
    "blocks": lambda: plain(nx.stochastic_block_model([80] * 8, (0.1 * np.eye(8) + 0.004).tolist(), seed=0)),
    "power law with triangles": lambda: plain(nx.powerlaw_cluster_graph(1000, 3, 0.6, seed=0)),
    "preferential attachment": lambda: plain(nx.barabasi_albert_graph(1000, 3, seed=0)),
    "small world": lambda: plain(nx.watts_strogatz_graph(1000, 6, 0.1, seed=0)),
    "random geometric": lambda: plain(nx.random_geometric_graph(800, 0.07, seed=0)),
    "caveman, rewired": lambda: plain(nx.relaxed_caveman_graph(80, 10, 0.15, seed=0)),
    "lattice": lambda: plain(nx.grid_2d_graph(32, 32)),
    "internet-like": lambda: plain(nx.random_internet_as_graph(1500, seed=0)),
}


# The networks of Zhang and Chen, Link Prediction Based on Graph Neural Networks (2018), tables 1 and 2.
NETWORKS = ("USAir", "NS", "PB", "Yeast", "Celegans", "Power", "Router", "Ecoli")


def matlab(file: Path) -> gv.Graph:
    """The network in the sparse matrix ``net`` of a MATLAB file; nodes without an edge are left out."""
    net = scipy.io.loadmat(str(file))["net"].tocoo()
    return gv.Graph.from_edges(np.stack([net.row, net.col])[:, net.row < net.col].astype(np.int64))


def run(name: str, graph: gv.Graph, seed: int, protocol: str = "random") -> dict[str, Any]:
    """Figures of every model on one split."""
    split = gv.split_links(graph, val=0.05, test=0.10, seed=seed, protocol=protocol)
    models = {"auto": gv.VGAE.preset("auto", seed=seed), "vgae": gv.VGAE(seed=seed)}
    record: dict[str, Any] = {"graph": name, "seed": seed, "split_hash": split.hash, "models": {}}
    for label, model in models.items():
        report = model.fit(split).evaluate(split, ranking=True, hard=0)
        rows = {report.model: {"auc": report.auc, "ap": report.ap}, **report.baselines}
        for row, figures in rows.items():
            ranks = report.rankings["all"].get(row, {})
            found = {**figures, **{key: ranks.get(key) for key in ("mrr", "hits@10")}}
            record["models"][label if row == report.model else row] = found
        record[f"seconds_{label}"] = model.fitted.seconds
    record["why"] = models["auto"].fitted.why
    return record


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per graph: means, and the differences of auto to the plain model and to the best baseline, paired.

    The best baseline of a metric is the one with the highest mean over the splits.
    """
    rows = []
    for name in dict.fromkeys(run["graph"] for run in runs):
        some = [run["models"] for run in runs if run["graph"] == name]
        row: dict[str, Any] = {"graph": name, "n": len(some), "metrics": {}}
        for metric in METRICS:
            scores = {model: np.array([run[model][metric] for run in some], dtype=float) for model in some[0]}
            others = [model for model in scores if model not in ("auto", "vgae") and not np.isnan(scores[model]).any()]
            if np.isnan(scores["auto"]).any() or not others:
                continue
            best = max(others, key=lambda model: scores[model].mean())
            row["metrics"][metric] = {
                **{model: _mean(scores[model]) for model in ("auto", "vgae")},
                "best baseline": {"name": best, **_mean(scores[best])},
                "to vgae": _mean(scores["auto"] - scores["vgae"]),
                "to best baseline": _mean(scores["auto"] - scores[best]),
            }
        rows.append(row)
    return rows


def _mean(values: np.ndarray) -> dict[str, float | None]:
    error = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else None
    return {"mean": float(values.mean()), "standard_error": error}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="of NAME.mat for every network")
    parser.add_argument("--graphs", nargs="*", choices=[*GRAPHS, *NETWORKS], help="some of them")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--protocol", choices=["random", "connected"], default="random")
    parser.add_argument("--to", type=Path, help="the file of results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    given, protocol = arguments.folder, arguments.protocol
    options = "" if given is None else " --folder SEAL/MATLAB/data"
    options += "" if protocol == "random" else f" --protocol {protocol}"
    file = "untuned" if given is None else "real_networks"
    to = arguments.to or RESULT.with_name(f"{file}{'' if protocol == 'random' else '_' + protocol}.json")
    for name in arguments.graphs or (GRAPHS if given is None else NETWORKS):
        graph = GRAPHS[name]() if given is None else matlab(given / f"{name}.mat")
        for seed in range(arguments.runs):
            done = json.loads(to.read_text(encoding="utf-8"))["runs"] if to.exists() else []
            if (name, seed) in [(each["graph"], each["seed"]) for each in done]:
                continue
            runs = [*done, run(name, graph, seed, protocol)]
            machine = {"processor": "x86_64", "cpu": torch.backends.cpu.get_cpu_capability(), "threads": 1}
            result = {
                "command": f"python benchmarks/untuned.py --runs {arguments.runs}{options}",
                "machine": {**machine, "torch": torch.__version__, "networkx": nx.__version__},
                "rows": summary(runs),
                "runs": runs,
            }
            to.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            figures = {model: f"{100 * row['auc']:.1f}" for model, row in runs[-1]["models"].items()}
            print(name, seed, figures, flush=True)
