"""Links of nodes that a model has never seen, beside feature cosine: ``python benchmarks/new_nodes.py``.

10 % of the nodes are held out with all their edges. Models are fitted on the graph without them (5 % of its edges for
validation) and then asked for the links of the new nodes, of whom they are given the features alone, or half of the
edges too. Splits and models are seeded by the run; finished runs are kept, so it goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import graphvae as gv
from graphvae._files import write_text

RESULT = Path(__file__).parent / "results" / "new_nodes.json"
MODELS = {
    "vgae": lambda seed: gv.VGAE(seed=seed),
    "vgae:strong,structure=none": lambda seed: gv.VGAE.preset("strong", structure=None, seed=seed),
}
# Of a node without edges these know nothing, and AUC says a half.
BASELINES = ("feature cosine", "personalised PageRank", "Katz")


def records_of(dataset: str, seed: int) -> list[dict[str, Any]]:
    """Every model and baseline on one split, once with nothing shown and once with half."""
    graph, records = gv.load_graph(dataset), []
    splits = {shown: gv.split_nodes(graph, 0.1, shown=shown, seed=seed) for shown in (0.0, 0.5)}
    links = gv.split_links(splits[0.0].seen, val=0.05, test=0, seed=seed)
    for name, make in MODELS.items():
        model = make(seed).fit(links)
        for shown, split in splits.items():
            report = model.evaluate(split, ranking=False)
            rows = {name: {"auc": report.auc, "ap": report.ap}}
            if name == "vgae":
                rows |= {baseline: report.baselines[baseline] for baseline in BASELINES}
            for row, figures in rows.items():
                records.append({"dataset": dataset, "model": row, "shown": shown, "seed": seed, **figures})
    return records


def summary(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means and standard errors over the runs."""
    rows = []
    for key in dict.fromkeys((each["dataset"], each["shown"], each["model"]) for each in records):
        of_key = [each for each in records if (each["dataset"], each["shown"], each["model"]) == key]
        row: dict[str, Any] = {**dict(zip(("dataset", "shown", "model"), key, strict=True)), "runs": len(of_key)}
        for metric in ("auc", "ap"):
            values = np.array([each[metric] for each in of_key])
            error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
            row[metric] = {"mean": float(values.mean()), "standard_error": float(error)}
        rows.append(row)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", default="cora,citeseer")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--to", type=Path, default=RESULT)
    parser.add_argument("--fresh", action="store_true", help="run again what is there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    done: list[dict[str, Any]] = []
    if arguments.to.is_file() and not arguments.fresh:
        done = json.loads(arguments.to.read_text(encoding="utf-8"))["records"]
    for dataset in arguments.datasets.split(","):
        for seed in range(arguments.runs):
            if any(each["dataset"] == dataset and each["seed"] == seed for each in done):
                continue
            done += records_of(dataset, seed)
            result = {
                "command": "python benchmarks/new_nodes.py",
                "machine": {"cpu": torch.backends.cpu.get_cpu_capability(), "threads": 1},
                "versions": {"torch": str(torch.__version__)},
                "rows": summary(done),
                "records": done,
            }
            write_text(arguments.to, json.dumps(result, indent=2) + "\n")
            print(dataset, seed, *(f"{row['model']} {100 * row['auc']['mean']:.1f}" for row in result["rows"][-10:]))
