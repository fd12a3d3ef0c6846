"""Training steps beside PyG's VGAE example, in one process, in turns: ``python benchmarks/training_step.py``.

Both: one hidden GCN layer of 32, latent dimension 16, Adam 0.01, one thread. Ours is ``VGAE().fit(graph)``, all N²
pairs of the ``kipf`` objective, timed between the records of its own history; PyG's is the loop of its example (cached
normalisation, sampled negatives). Each round times a few steps of the one and then of the other; a ratio is taken
within a round, and the table shows the median of the ratios with their quartiles. ``fit`` is 200 epochs with validation
at every epoch against PyG's loop doing the same, everything counted but the imports.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch_geometric
from torch_geometric.data import Data
from torch_geometric.nn import VGAE as PyGVGAE
from torch_geometric.nn import GCNConv

import graphvae as gv
from graphvae.estimators import fitting
from graphvae.kernels import native

RESULT = Path(__file__).parent / "results" / "training_step.json"
# Nodes, edges, features, how many of a node's features are not zero (None: dense), rounds, steps in a round.
SYNTHETIC = {
    "pubmed-size": (19_717, 44_324, 500, 50, 7, 5),
    "100k": (100_000, 1_400_000, 64, None, 5, 2),
    "1m": (1_000_000, 14_000_000, 64, None, 2, 1),
}
PLANETOID = {"cora": (15, 20), "citeseer": (15, 10)}


class Encoder(torch.nn.Module):
    """The encoder of PyG's example, with the widths of Kipf and Welling."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv1 = GCNConv(in_channels, 32, cached=True)
        self.conv_mu = GCNConv(32, 16, cached=True)
        self.conv_logstd = GCNConv(32, 16, cached=True)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.conv1(x, edge_index).relu()
        return self.conv_mu(x, edge_index), self.conv_logstd(x, edge_index)


def synthetic(name: str) -> gv.Graph:
    """The graph of this name."""
    return random_graph(*SYNTHETIC[name][:4])


def random_graph(nodes: int, edges: int, features: int, ones: int | None) -> gv.Graph:
    """Uniform random edges, and features that are dense or have a few ones in each row."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(nodes, (2, int(1.02 * edges) + 100), generator=generator)
    drawn = drawn[:, drawn[0] != drawn[1]].sort(0).values
    keys = torch.unique(drawn[0] * nodes + drawn[1])
    keys = keys[torch.randperm(len(keys), generator=generator)[:edges]].sort().values
    pairs = torch.stack([keys // nodes, keys % nodes])
    both = torch.cat([pairs, pairs.flip(0)], 1)
    order = torch.argsort(both[0] * nodes + both[1])
    if ones is None:
        x = torch.randn(nodes, features, generator=generator)
    else:
        rows = torch.arange(nodes).repeat_interleave(ones)
        columns = torch.randint(features, (nodes * ones,), generator=generator)
        x = torch.zeros(nodes, features).index_put((rows, columns), torch.ones(()))
    return gv.Graph(edge_index=both[:, order], num_nodes=nodes, x=x)


class Peer:
    """PyG's example on a graph: ``step`` is its ``train``."""

    def __init__(self, data: Data) -> None:
        torch.manual_seed(0)
        self.data, self.model = data, PyGVGAE(Encoder(data.num_features))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def step(self) -> float:
        self.model.train()
        self.optimizer.zero_grad()
        z = self.model.encode(self.data.x, self.data.edge_index)
        loss = self.model.recon_loss(z, self.data.edge_index) + self.model.kl_loss() / self.data.num_nodes
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    @torch.no_grad()
    def validate(self, positive: torch.Tensor, negative: torch.Tensor) -> tuple[float, float]:
        self.model.eval()
        return self.model.test(self.model.encode(self.data.x, self.data.edge_index), positive, negative)


def our_steps(graph: gv.Graph, steps: int, objective: str = "kipf") -> tuple[float, str]:
    """Seconds of a step of ``fit``, the median over ``steps`` after two more, and the path it took."""
    times: list[float] = []

    @contextmanager
    def clock(*_: Any, **__: Any):
        yield lambda record: times.append(time.perf_counter())

    original, fitting.progress_bar = fitting.progress_bar, clock
    try:
        model = gv.VGAE(objective=objective, epochs=steps + 2).fit(graph)
    finally:
        fitting.progress_bar = original
    return statistics.median(b - a for a, b in pairwise(times[1:])), model.fitted.path


def peer_steps(peer: Peer, steps: int) -> float:
    """Seconds of a step of the peer, the median over ``steps``."""
    times = [time.perf_counter()]
    for _ in range(steps):
        peer.step()
        times.append(time.perf_counter())
    return statistics.median(b - a for a, b in pairwise(times))


def whole_fit(split: Any) -> dict[str, float]:
    """Seconds of 200 epochs with validation at every epoch, ours and the peer's."""
    start = time.perf_counter()
    gv.VGAE().fit(split)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    peer = Peer(split.train.to_pyg())
    for _ in range(200):
        peer.step()
        peer.validate(split.val.positive, split.val.negative)
    return {"ours": ours, "peer": time.perf_counter() - start}


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Medians in seconds, and the median and quartiles of the ratios within rounds."""
    ratios = sorted(each["peer"] / each["ours"] for each in rounds)
    quartiles = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    return {
        "ours": statistics.median(each["ours"] for each in rounds),
        "peer": statistics.median(each["peer"] for each in rounds),
        "ratio": statistics.median(ratios),
        "quartiles": [quartiles[0], quartiles[2]],
        "rounds": rounds,
    }


def measure(name: str) -> dict[str, Any]:
    """All figures of one graph."""
    split = None
    if name in PLANETOID:
        split = gv.split_links(gv.load_graph(name), val=0.05, test=0.10, seed=0)
        graph, (rounds, steps) = split.train, PLANETOID[name]
    else:
        graph, (rounds, steps) = synthetic(name), SYNTHETIC[name][4:]
    data = graph.to_pyg()
    data.x = data.x.to_dense() if data.x.layout != torch.strided else data.x
    peer, found, path = Peer(data), [], ""
    peer.step()
    for _ in range(rounds):
        ours, path = our_steps(graph, steps)
        found.append({"ours": ours, "peer": peer_steps(peer, steps)})
    row = {"graph": name, "nodes": graph.num_nodes, "edges": graph.num_edges, "path": path, "step": summary(found)}
    if split is not None:
        row["fit"] = summary([whole_fit(split) for _ in range(3)])
    print(json.dumps({k: v for k, v in row.items() if k not in ("step", "fit")}))
    for key in ("step", "fit"):
        if key in row:
            print(key, {k: v for k, v in row[key].items() if k != "rounds"}, flush=True)
    return row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--graphs", nargs="*", choices=[*PLANETOID, *SYNTHETIC], default=[*PLANETOID, "pubmed-size", "100k"]
    )
    parser.add_argument("--torch-kernels", action="store_true", help="as where there is no C compiler")
    parser.add_argument("--to", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.torch_kernels:
        native.load = lambda: None
    rows = [measure(name) for name in arguments.graphs]
    machine = {"processor": "x86_64", "cpu": torch.backends.cpu.get_cpu_capability(), "threads": 1}
    versions = {"torch": torch.__version__, "torch_geometric": torch_geometric.__version__}
    if arguments.to:
        kernels = " --torch-kernels" if arguments.torch_kernels else ""
        graphs = " ".join(arguments.graphs)
        command = f"python benchmarks/training_step.py --graphs {graphs}{kernels} --to {arguments.to.name}"
        result = {"command": command, "machine": {**machine, **versions}, "rows": rows}
        arguments.to.write_text(json.dumps(result, indent=2) + "\n")
