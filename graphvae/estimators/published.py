"""AUC and AP that others have published, for the column beside what is measured."""

from __future__ import annotations

from typing import Any

__all__ = ["PUBLISHED", "published_rows"]

KIPF = "Kipf and Welling (2016)"

# The paper's table of link prediction: AUC and AP in percent, with features but for ":featureless".
PUBLISHED: dict[tuple[str, str], tuple[float, float]] = {
    ("cora", "vgae"): (91.4, 92.6),
    ("citeseer", "vgae"): (90.8, 92.0),
    ("pubmed", "vgae"): (94.4, 94.7),
    ("cora", "gae"): (91.0, 92.0),
    ("citeseer", "gae"): (89.5, 89.9),
    ("pubmed", "gae"): (96.4, 96.5),
    ("cora:featureless", "vgae"): (84.0, 87.7),
    ("citeseer:featureless", "vgae"): (78.9, 84.1),
    ("pubmed:featureless", "vgae"): (82.7, 87.5),
    ("cora:featureless", "gae"): (84.3, 88.1),
    ("citeseer:featureless", "gae"): (78.7, 84.1),
    ("pubmed:featureless", "gae"): (82.2, 87.4),
}

# Models of other papers, by name, source and data set. All of these are recalled, not looked up.
ELSEWHERE: tuple[tuple[str, str, dict[str, tuple[float, float]]], ...] = (
    (
        "linear VGAE",
        "Salha et al. (2020)",
        {"cora": (92.6, 93.7), "citeseer": (91.6, 93.1), "pubmed": (95.9, 95.8)},
    ),
    ("ARGA", "Pan et al. (2018)", {"cora": (92.4, 93.2), "citeseer": (91.9, 93.0), "pubmed": (96.8, 97.1)}),
    ("ARVGA", "Pan et al. (2018)", {"cora": (92.4, 92.6), "citeseer": (92.4, 93.0), "pubmed": (96.5, 96.8)}),
    ("S-VGAE", "Davidson et al. (2018)", {"cora": (94.1, 94.1), "citeseer": (94.7, 95.2), "pubmed": (96.0, 96.0)}),
    ("SIG-VAE", "Hasanzadeh et al. (2019)", {"cora": (96.0, 95.8), "citeseer": (96.4, 96.3), "pubmed": (97.0, 97.2)}),
)


def published_rows(datasets: set[str]) -> list[dict[str, Any]]:
    """Every published row of the data sets: ``auc`` and ``ap`` in [0, 1], ``source``, and whether it is recalled."""
    known = [(data, model, KIPF, False, figures) for (data, model), figures in PUBLISHED.items()]
    known += [(data, model, source, True, figures) for model, source, row in ELSEWHERE for data, figures in row.items()]
    return [
        {"dataset": data, "model": model, "auc": auc / 100, "ap": ap / 100, "source": source, "recalled": recalled}
        for data, model, source, recalled, (auc, ap) in known
        if data in datasets
    ]
