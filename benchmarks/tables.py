"""Print the README's tables from the committed results: ``python benchmarks/tables.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
NAMES = {
    "vgae": "VGAE",
    "gae": "GAE",
    "katz": "Katz",
    "common-neighbours": "common neighbours",
    "vgae:elbo": 'VGAE, `objective="elbo"`',
    "vgae:generative": 'VGAE, `preset("generative")`: `"elbo"`, `prior="features"`',
}
TITLES = {
    "cora": "Cora",
    "citeseer": "CiteSeer",
    "pubmed:featureless": "PubMed, no features",
}


def load(name: str) -> dict[str, Any]:
    """A committed result."""
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def figure(row: dict[str, Any], key: str, factor: float = 1.0, digits: int = 0) -> str:
    """Mean ± standard error, or a dash."""
    if key not in row:
        return "–"
    value = row[key]
    return f"{factor * value['mean']:,.{digits}f} ± {factor * value['standard_error']:,.{digits}f}".replace(",", " ")


def links_table() -> str:
    """AUC / AP in % of every model on every data set, the published figure below."""
    result = load("links.json")
    rows = {(row["dataset"], row["model"]): row for row in result["rows"]}
    datasets = [name for name in TITLES if any(key[0] == name for key in rows)]
    lines = ["| AUC / AP in % | " + " | ".join(TITLES[name] for name in datasets) + " |"]
    lines.append("|---" * (len(datasets) + 1) + "|")
    for model in dict.fromkeys(row["model"] for row in result["rows"]):
        cells, published = [], []
        for name in datasets:
            row = rows[name, model]
            cells.append(f"{figure(row, 'auc', 100, 1)} / {figure(row, 'ap', 100, 1)}")
            known = row.get("published")
            published.append(f"{100 * known['auc']:.1f} / {100 * known['ap']:.1f}" if known else "")
        lines.append(f"| {NAMES[model]} | " + " | ".join(cells) + " |")
        if any(published):
            lines.append(f"| {NAMES[model]}, as published | " + " | ".join(published) + " |")
    return "\n".join(lines)


def likelihood_table() -> str:
    """Likelihoods of Cora's training graph and of held-out pairs, beside the null models."""
    result = load("likelihood.json")
    lines = [
        "| Cora | AUC / AP in % | ELBO, nats | KL, nats | held-out, nats per edge |",
        "|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        scores = f"{figure(row, 'auc', 100, 1)} / {figure(row, 'ap', 100, 1)}"
        cells = [NAMES[row["model"]], scores, figure(row, "elbo"), figure(row, "kl"), figure(row, "heldout", 1, 2)]
        lines.append("| " + " | ".join(cells) + " |")
    for name, key in (("Erdős-Rényi", "null_erdos_renyi"), ("degree-based", "null_degrees")):
        row = result["rows"][0]
        cells = [name, "", f"{figure(row, key)} (exact)", "", figure(row, f"{key}_heldout", 1, 2)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(links_table(), likelihood_table(), sep="\n\n")
