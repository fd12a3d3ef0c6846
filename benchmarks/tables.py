"""Print the README's tables from the committed results: ``python benchmarks/tables.py``."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
COSINE = 'vgae:strong,structure=none,decoder={name="cosine",initial_scale=40,intercepts=true},beta=0.1'
NAMES = {
    "vgae": "VGAE",
    "gae": "GAE",
    "katz": "Katz",
    "common-neighbours": "common neighbours",
    "vgae:kipf:exact": "all pairs, exactly",
    "vgae:kipf:control-variate": "all pairs, by control variate",
    "vgae:sampled": "sampled non-edges",
    "vgae:elbo": 'VGAE, `objective="elbo"`',
    "vgae:strong": 'VGAE, `preset("strong")`',
    "vgae:strong-featureless": 'VGAE, `preset("strong-featureless")`',
    "vgae:strong,structure=null": "the same without structure",
    "vgae:strong-featureless,structure=null": "the same without structure",
    COSINE: "VGAE, cosine and intercepts",
    "vgae:generative": 'VGAE, `preset("generative")`',
    "vgae:generative,prior=mixture": 'VGAE, `preset("generative", prior="mixture")`',
}
FAMILY = {
    "gae": "GAE",
    "vgae": "VGAE",
    "vgae,hidden_dims=[]": "linear VGAE",
    "gae,objective=adversarial": "ARGA",
    "vgae,objective=adversarial": "ARGVA",
    "vgae,posterior=hyperspherical,decoder=cosine": "hyperspherical VGAE, cosine decoder",
    "vgae,posterior=semi-implicit": "semi-implicit VGAE",
    "vgae,posterior=flow": "VGAE with a flow",
    "vgae:elbo": "VGAE on the true ELBO, standard normal prior",
    "vgae,objective=iwae,samples=5": "VGAE on the IWAE bound of 5 samples, standard normal prior",
    "vgae:generative": '`preset("generative")`',
    "vgae:strong,structure=none": '`preset("strong", structure=None)`',
    "vgae:strong": '`preset("strong")`',
    "vgae:strong,structure=none,posterior=point": "without structure, a point posterior",
    "vgae:strong,structure=none,decoder=inner_product": "without structure, an inner product for `z_i * z_j`",
    "vgae:strong,structure=none,objective=sampled": "without structure, no edges hidden from the encoder",
    "vgae:strong,structure=none,encoder=gcn,hidden_dims=[128]": "without structure, a GCN of width 128 for the hops",
}
TITLES = {
    "cora": "Cora",
    "citeseer": "CiteSeer",
    "cora:featureless": "Cora, no features",
    "citeseer:featureless": "CiteSeer, no features",
    "pubmed:featureless": "PubMed, no features",
}
KEYS = {"auc": "AUC", "ap": "AP", "mrr": "MRR", "hits@10": "Hits@10"}
DIGITS = {
    "vae": "VAE",
    "iwae": "IWAE, trained on the bound of 50 samples",
    "hyperspherical": "VAE, hyperspherical",
    "flow": "VAE, flow",
}
SOURCES = {
    "real": "real test digits",
    "vae": "VAE, from its prior",
    "vae_bound": "VAE of the table above, from its prior",
    "ae_fitted": "AE, codes from a Gaussian fitted to its codes",
    "ae_normal": "AE, codes from N(0, I)",
    "pixels": "a Gaussian fitted to the pixels",
    "ae_reconstructions": "AE, reconstructed test digits",
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


def links_table(name: str = "links.json") -> str:
    """AUC / AP in % of every model on every data set, the published figure below."""
    result = load(name)
    rows = {(row["dataset"], row["model"]): row for row in result["rows"]}
    datasets = [name for name in TITLES if any(key[0] == name for key in rows)]
    lines = ["| AUC / AP in % | " + " | ".join(TITLES[name] for name in datasets) + " |"]
    lines.append("|---" * (len(datasets) + 1) + "|")
    for model in dict.fromkeys(row["model"] for row in result["rows"]):
        cells, published = [], []
        for data in datasets:
            row = rows[data, model]
            cells.append(f"{figure(row, 'auc', 100, 1)} / {figure(row, 'ap', 100, 1)}")
            known = row.get("published")
            published.append(f"{100 * known['auc']:.1f} / {100 * known['ap']:.1f}" if known else "")
        lines.append(f"| {NAMES[model]} | " + " | ".join(cells) + " |")
        if any(published):
            lines.append(f"| {NAMES[model]}, as published | " + " | ".join(published) + " |")
    return "\n".join(lines)


def ranking_table(name: str) -> str:
    """AUC, AP and, among all nodes, MRR and Hits@10 in %, the best baseline of each figure below."""
    result = load(name)
    lines = ["| in %, mean ± standard error | AUC | AP | MRR | Hits@10 |", "|---" * 5 + "|"]
    keys = ("auc", "ap", "mrr", "hits@10")
    for data in dict.fromkeys(row["dataset"] for row in result["rows"]):
        for row in result["rows"]:
            if row["dataset"] == data and row["model"].startswith("vgae"):
                cells = [figure(row, key, 100, 1) for key in keys]
                lines.append("| " + " | ".join([f"{TITLES[data]}: {NAMES[row['model']]}", *cells]) + " |")
        for best in (row for row in result["best_baselines"] if row["dataset"] == data):
            cells = [f"{figure(best, key, 100, 1)} ({best[key]['model']})" for key in keys]
            lines.append("| " + " | ".join([f"{TITLES[data]}: best baseline", *cells]) + " |")
    return "\n".join(lines)


def decided_table(name: str, model: str) -> str:
    """What ``model`` is ahead of the plain one and of the best baseline of each figure, on the same splits."""
    result = load(name)
    best = {(row["dataset"], key): row[key]["model"] for row in result["best_baselines"] for key in row if key in KEYS}
    lines = ["| points ahead on the same splits | " + " | ".join(KEYS.values()) + " |", "|---" * 5 + "|"]
    for data in dict.fromkeys(row["dataset"] for row in result["rows"]):
        for title in ("VGAE", "the best baseline"):
            cells = []
            for key in KEYS:
                rival = "vgae" if title == "VGAE" else best[data, key]
                cells.append(_ahead(result["differences"], data, key, model, rival))
            lines.append("| " + " | ".join([f"{TITLES[data]}: of {title}", *cells]) + " |")
    return "\n".join(lines)


def accuracy_table() -> str:
    """Cora and CiteSeer with their features."""
    return ranking_table("accuracy.json")


def accuracy_ahead() -> str:
    """What the strong preset is ahead there."""
    return decided_table("accuracy.json", "vgae:strong")


def featureless_table() -> str:
    """Cora and CiteSeer without their features."""
    return ranking_table("featureless.json")


def featureless_ahead() -> str:
    """What the strong preset without features is ahead there."""
    return decided_table("featureless.json", "vgae:strong-featureless")


def pubmed_table() -> str:
    """PubMed without features."""
    return ranking_table("pubmed.json")


def pubmed_ahead() -> str:
    """What the strong preset without features is ahead there."""
    return decided_table("pubmed.json", "vgae:strong-featureless")


def family_table() -> str:
    """Families of models on the same splits, and what a run takes."""
    return _family_table("family.json")


def slow_family_table() -> str:
    """Families whose runs are long, on fewer splits."""
    return _family_table("family_slow.json", "family_flow.json")


def ablation_table() -> str:
    """The strong preset with one thing changed."""
    return _family_table("ablation.json")


def _family_table(*results: str) -> str:
    loaded = [load(each) for each in results]
    rows = {(row["dataset"], row["model"]): row for each in loaded for row in each["rows"]}
    times = {
        (data, model): statistics.median(
            run["seconds"] for each in loaded for run in each["runs"] if (run["dataset"], run["model"]) == (data, model)
        )
        for data, model in rows
    }
    data = list(dict.fromkeys(data for data, _ in rows))
    head = [cell for each in data for cell in (f"{TITLES[each]}: AUC / AP", "MRR", "seconds")]
    lines = ["| in %, mean ± standard error | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for model, name in FAMILY.items():
        if (data[0], model) not in rows:
            continue
        cells = [name]
        for each in data:
            row = rows[each, model]
            cells += [f"{figure(row, 'auc', 100, 1)} / {figure(row, 'ap', 100, 1)}", figure(row, "mrr", 100, 1)]
            cells.append(f"{times[each, model]:.1f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def calibration_table() -> str:
    """What link probabilities are worth beside the constant density, and how far off they are."""
    keys = {"brier_skill": "Brier skill", "log_loss_skill": "log-loss skill", "calibration_error": "ECE, balanced"}
    keys["calibration_floor"] = "of a perfect forecast"
    lines = ["| mean ± standard error | " + " | ".join(keys.values()) + " |", "|---" * (len(keys) + 1) + "|"]
    for row in load("calibration.json")["rows"]:
        cells = [f"{TITLES[row['dataset']]}: {FAMILY[row['model']]}"]
        lines.append("| " + " | ".join([*cells, *(figure(row, key, 1, 3) for key in keys)]) + " |")
    return "\n".join(lines)


def inner_product_table() -> str:
    """Cosines alone, without structure."""
    return ranking_table("inner_product.json")


def _ahead(differences: list[dict[str, Any]], data: str, key: str, model: str, rival: str) -> str:
    for row in differences:
        if (row["dataset"], row["figure"]) == (data, key) and {row["model"], row["against"]} == {model, rival}:
            gap = 100 * row["mean"] * (1 if row["model"] == model else -1)
            verdict = "" if row["decided"] else ", not decided"
            return f"{gap:+.1f} ± {100 * row['standard_error']:.1f}{verdict}"
    raise KeyError((data, key, model, rival))


def untuned_table() -> str:
    """AUC and MRR of ``auto`` on graphs that nobody tuned on, beside the plain model and the best baseline."""
    lines = [
        "| in %, mean of the splits | auto | VGAE | best baseline | auto, MRR | VGAE, MRR | best baseline, MRR |",
        "|---" * 7 + "|",
    ]
    for row in load("untuned.json")["rows"]:
        cells = []
        for key in ("auc", "mrr"):
            found = row["metrics"].get(key)
            if found is None:
                cells += ["–"] * 3
                continue
            best = found["best baseline"]
            cells += [f"{100 * found[model]['mean']:.1f}" for model in ("auto", "vgae")]
            cells.append(f"{100 * best['mean']:.1f} ({best['name']})")
        lines.append("| " + " | ".join([row["graph"], *cells]) + " |")
    return "\n".join(lines)


# AUC in percent, of Zhang and Chen (2018), tables 1 and 2; recalled, not looked up.
SEAL = {"USAir": 96.62, "NS": 98.85, "PB": 94.72, "Yeast": 97.91, "Celegans": 90.30, "Power": 87.61, "Router": 96.38}
SEAL["Ecoli"] = 97.64


def real_networks_table() -> str:
    """``auto`` on networks that nobody tuned on, beside the plain model, the best baseline and what SEAL published."""
    lines = _ahead_of_baselines("real_networks.json")
    return "\n".join(line + end for line, end in zip(lines, _seal_column(), strict=True))


def strong_run_sentence() -> str:
    """How long one strong run on Cora takes."""
    result = load("strong_run.json")
    seconds, cores = sorted(run["seconds"] for run in result["runs"]), result["machine"]["cores"]
    return f"{statistics.median(seconds):.1f} s ({seconds[0]:.1f} to {seconds[-1]:.1f}) on {cores} cores"


def real_networks_sentence() -> str:
    """How far ``auto`` is ahead of the best baseline on these networks, from the least to the most."""
    rows = load("real_networks.json")["rows"]
    spans = []
    for key in ("auc", "ap", "mrr"):
        ahead = [100 * row["metrics"][key]["to best baseline"]["mean"] for row in rows]
        spans.append(f"{min(ahead):.1f} to {max(ahead):.1f} points of {KEYS[key]}")
    return f"ahead of the best baseline by {', '.join(spans[:2])} and {spans[2]}"


def connected_table() -> str:
    """The same on splits that keep every network as connected as it was."""
    return "\n".join(_ahead_of_baselines("real_networks_connected.json"))


def _ahead_of_baselines(file: str) -> list[str]:
    names = ("auto: AUC", "AP", "MRR", "ahead of VGAE: AUC", "MRR", "of the best baseline: AUC", "AP", "MRR")
    lines = ["| in % | " + " | ".join(names) + " |", "|---" * 9 + "|"]
    for row in load(file)["rows"]:
        metrics, three = row["metrics"], ("auc", "ap", "mrr")
        cells = [f"{100 * metrics[key]['auto']['mean']:.1f}" for key in three]
        cells += [f"{100 * metrics[key]['to vgae']['mean']:+.1f}" for key in ("auc", "mrr")]
        for key in three:
            ahead, name = metrics[key]["to best baseline"], metrics[key]["best baseline"]["name"]
            points = round(100 * ahead["mean"], 1) + 0.0  # no -0.0
            cells.append(f"{points:+.1f} ± {100 * ahead['standard_error']:.1f} ({name})")
        lines.append("| " + " | ".join([row["graph"], *cells]) + " |")
    return lines


def _seal_column() -> list[str]:
    rows = load("real_networks.json")["rows"]
    return [" SEAL, AUC |", "---|", *(f" {SEAL[row['graph']]:.1f} |" for row in rows)]


def together_sentence() -> str:
    """The calibration error over the test pairs of ten splits together."""
    parts = [
        f"{row['error']:.3f} on {TITLES[row['dataset']]} ({row['floor']:.3f} of a perfect forecast)"
        for row in load("calibration_together.json")["rows"]
    ]
    return " and ".join(parts)


def scatter_sentence() -> str:
    """How much longer torch-scatter takes for a product and its gradient, over all graphs and widths."""
    ratios = [row["ratio"] for row in load("propagation.json")["rows"]]
    return f"takes {min(ratios):.1f} to {max(ratios):.0f} times as long as torch's embedding bag"


def paths_table() -> str:
    """AUC / AP of the same model trained on the sum over all pairs taken in three ways."""
    return links_table("paths.json")


def likelihood_table(name: str = "likelihood.json") -> str:
    """Likelihoods of training graphs and of held-out pairs, beside the null models."""
    result = load(name)
    lines = ["| | AUC / AP in % | ELBO, nats | KL, nats | held-out, nats per edge |", "|---" * 5 + "|"]
    for data in dict.fromkeys(row["dataset"] for row in result["rows"]):
        rows, title = [row for row in result["rows"] if row["dataset"] == data], TITLES[data]
        for row in rows:
            scores = f"{figure(row, 'auc', 100, 1)} / {figure(row, 'ap', 100, 1)}"
            cells = [f"{title}: {NAMES[row['model']]}", scores, figure(row, "elbo"), figure(row, "kl")]
            lines.append("| " + " | ".join([*cells, figure(row, "heldout", 1, 2)]) + " |")
        for name, key in (("Erdős-Rényi", "null_erdos_renyi"), ("degree-based", "null_degrees")):
            cells = [
                f"{title}: {name}",
                "",
                f"{figure(rows[0], key)} (exact)",
                "",
                figure(rows[0], f"{key}_heldout", 1, 2),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def featureless_likelihood_table() -> str:
    """The same where nothing is known of a node but its edges."""
    return likelihood_table("likelihood_featureless.json")


def digits_table() -> str:
    """Test bounds of four posteriors on digits, in nats per image."""
    result = load("digits.json")
    lines = ["| digits | ELBO, nats | log p(x), nats | bits per dimension | KL, nats |", "|---" * 5 + "|"]
    for model, title in DIGITS.items():
        row = result["likelihood"][model]
        cells = [figure(row, "elbo", 1, 1), figure(row, "log_marginal", 1, 1), figure(row, "bits_per_dimension", 1, 2)]
        lines.append("| " + " | ".join([title, *cells, figure(row, "kl", 1, 1)]) + " |")
    return "\n".join(lines)


def generation_table() -> str:
    """Samples of a VAE and an AE as a classifier of real digits sees them, beside real digits and a plain Gaussian."""
    result = load("digits.json")
    figures = result["generation"]
    dims = [key for key in figures if key.isdigit()]
    lines = ["| recognised, in % / classes of 10 | " + " | ".join(f"{dim} latent dimensions" for dim in dims) + " |"]
    lines.append("|---" * (len(dims) + 1) + "|")

    def cell(row: dict[str, Any]) -> str:
        return f"{figure(row, 'recognised', 100, 1)} / {figure(row, 'classes', 1, 1)}"

    for name, title in SOURCES.items():
        if name == "real":
            title += f" (accuracy {figure(figures, 'accuracy', 100, 1)} %)"
        rows = [figures[name]] if name in figures else [figures[dim].get(name) for dim in dims]
        cells = [cell(row) if row else "" for row in rows]
        lines.append("| " + " | ".join([title, *cells, *[""] * (len(dims) - len(rows))]) + " |")
    return "\n".join(lines)


def pythae_table() -> str:
    """Test ELBO and time per epoch beside pythae's; the last row is the paired difference and the ratio of times."""
    result = load("pythae.json")
    elbo, datasets = result["elbo"], [name for name in ("digits", "mnist") if name in result["times"]]
    times = {name: result["times"][name]["graphvae"]["summary"] for name in datasets}
    titles = {"digits": "seconds per epoch, digits", "mnist": "seconds per epoch, MNIST"}
    lines = ["| VAE on digits | test ELBO, nats | " + " | ".join(titles[name] for name in datasets) + " |"]
    lines.append("|---" * (len(datasets) + 2) + "|")
    for package in ("graphvae", "pythae"):
        title = "graphvae" if package == "graphvae" else f"pythae {result['machine']['versions']['pythae']}"
        seconds = [f"{times[name][package]['median']:.3g}" for name in datasets]
        lines.append("| " + " | ".join([title, figure(elbo, package, 1, 2), *seconds]) + " |")
    ratios = [times[name]["ratio"] for name in datasets]
    cells = [f"{ratio['median']:.2f}x (quartiles {ratio['low']:.2f} to {ratio['high']:.2f})" for ratio in ratios]
    lines.append("| " + " | ".join(["graphvae's gain", figure(elbo, "difference", 1, 2), *cells]) + " |")
    return "\n".join(lines)


def burda_table() -> str:
    """Test NLL of VAE and IWAE on MNIST beside Burda et al."""
    lines = ["| MNIST | test NLL, nats | epochs | as published, 3280 epochs | seconds per epoch |", "|---" * 5 + "|"]
    for run in load("mnist_burda.json")["runs"]:
        nll = f"{run['nll']:.2f} ± {run['nll_standard_error']:.2f}"
        lines.append(
            f"| {run['row']} | {nll} | {run['epochs']} | {run['published']} | {run['seconds_per_epoch']:.0f} |"
        )
    return "\n".join(lines)


def few_labels_table() -> str:
    """Error in % with ten labels a class, beside Kingma et al. (2014) on MNIST."""
    result = load("few_labels.json")
    rows, published = result["rows"], result["published"]
    titles = [f"{data} ({next(iter(row.values()))['n']} seeds)" for data, row in rows.items()]
    lines = ["| error in %, 10 labels a class | " + " | ".join(titles) + " | MNIST, as published |"]
    lines.append("|---" * (len(titles) + 2) + "|")
    for name in next(iter(rows.values())):
        cells = [figure({"e": row[name]}, "e", 1, 1) for row in rows.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {published.get(name, '')} |")
    return "\n".join(lines)


def steps_table() -> str:
    """Training steps and whole fits beside PyG."""
    lines = [
        "| graph | nodes | edges | ours, ms a step | PyG, ms a step | ratio (quartiles) | whole fit, ratio |",
        "|---" * 7 + "|",
    ]
    for row in load("training_step.json")["rows"]:
        step, fit = row["step"], row.get("fit")
        quartiles = " to ".join(f"{value:.1f}" for value in step["quartiles"])
        cells = [row["graph"], f"{row['nodes']:,}".replace(",", " "), f"{row['edges']:,}".replace(",", " ")]
        cells += [f"{1000 * step['ours']:.1f}", f"{1000 * step['peer']:.1f}", f"{step['ratio']:.1f} ({quartiles})"]
        lines.append("| " + " | ".join([*cells, f"{fit['ratio']:.1f}" if fit else ""]) + " |")
    return "\n".join(lines)


def million_sentence() -> str:
    """A step on a million nodes, beside PyG's."""
    row = load("training_step_1m.json")["rows"][0]
    ours, peer, ratios = (row["step"][key] for key in ("ours", "peer", "rounds"))
    least, most = (f"{end(each['peer'] / each['ours'] for each in ratios):.0f}" for end in (min, max))
    ratio = row["step"]["ratio"]
    return f"{ours:.1f} seconds a step, and PyG {peer:.0f}: {ratio:.0f} times as long ({least} and {most})"


def torch_kernels_sentence() -> str:
    """The same ratios where there is no C compiler."""
    rows = {row["graph"]: row for row in load("training_step_torch.json")["rows"]}
    step, fit = ([f"{rows[name][key]['ratio']:.1f}" for name in ("cora", "citeseer")] for key in ("step", "fit"))
    steps, fits = " and ".join(step), " and ".join(fit)
    return f"steps are {steps} times as fast as PyG's on Cora and CiteSeer, and whole fits {fits}"


def passes_table() -> str:
    """Evaluation passes beside PyG."""
    lines = ["| graph | test pairs | ours, ms a pass | PyG, ms a pass | ratio (quartiles) |", "|---" * 5 + "|"]
    for row in load("evaluation_pass.json")["rows"]:
        found = row["pass"]
        quartiles = " to ".join(f"{value:.1f}" for value in found["quartiles"])
        cells = [row["graph"], f"{row['pairs']:,}".replace(",", " ")]
        cells += [f"{1000 * found['ours']:.2f}", f"{1000 * found['peer']:.1f}", f"{found['ratio']:.1f} ({quartiles})"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def memory_sentence() -> str:
    """The peak memory of a fit at a million nodes."""
    result = load("fit_memory.json")
    return (
        f"a whole `fit` peaks at {result['beyond_gib']:.2f} GiB beyond the {result['data_gib']:.2f} GiB of the process"
    )


def dense_table() -> str:
    """Value and gradient of the loss over all pairs: row blocks, the dense array, and the floor of the arithmetic."""
    result = load("dense_loss.json")
    first = next(iter(result["floor_ms"]))
    median = lambda kind: statistics.median(s for each in result["rounds"] for s in each[kind]["seconds"])
    memory = lambda kind: max(each[kind]["mib"] for each in result["rounds"])
    larger = result["larger"]
    rows = [
        (int(first), "row blocks", median("blocks"), memory("blocks"), result["floor_ms"][first]),
        (int(first), f"dense N x N, {result['ratio']:.0f} times as long", median("dense"), memory("dense"), None),
        (
            larger["nodes"],
            "row blocks",
            larger["seconds"][0],
            larger["mib"],
            result["floor_ms"][str(larger["nodes"])],
        ),
    ]
    lines = ["| nodes | loss | seconds | peak memory, MiB | floor, seconds |", "|---|---|---|---|---|"]
    for nodes, kind, seconds, mib, floor in rows:
        cells = [f"{nodes:,}".replace(",", " "), kind, f"{seconds:.2f}", f"{mib:.0f}"]
        lines.append("| " + " | ".join([*cells, "" if floor is None else f"{floor / 1000:.2f}"]) + " |")
    return "\n".join(lines)


def growth_sentence() -> str:
    """How time and memory of a step grow with the number of nodes."""
    found = load("growth.json")["exponents"]
    exact, estimate = (found[path]["seconds"] for path in ("exact", "control-variate"))
    return f"time grows as N^{exact:.2f} exactly and as N^{estimate:.2f} by control variate"


def new_nodes_table() -> str:
    """AUC / AP of links of nodes held out with their edges."""
    rows = {(row["model"], row["dataset"], row["shown"]): row for row in load("new_nodes.json")["rows"]}
    cases = [(data, shown) for data in ("cora", "citeseer") for shown in (0.0, 0.5)]
    names = {"vgae:strong,structure=none": 'VGAE, `preset("strong", structure=None)`'}
    given = {0.0: "features alone", 0.5: "half of its edges too"}
    titles = [f"{TITLES[data]}, {given[shown]}" for data, shown in cases]
    lines = ["| AUC / AP in % | " + " | ".join(titles) + " |", "|---" * 5 + "|"]
    for model in dict.fromkeys(key[0] for key in rows):
        found = [rows[(model, *case)] for case in cases]
        cells = [f"{figure(row, 'auc', 100, 1)} / {figure(row, 'ap', 100, 1)}" for row in found]
        lines.append("| " + " | ".join([names.get(model, NAMES.get(model, model)), *cells]) + " |")
    return "\n".join(lines)


def own_data_table() -> str:
    """Time and memory of reading a large CSV, and of recommendations among many nodes."""
    cases = load("own_data.json")["cases"]
    csv, links = cases["load_csv"], cases["recommend"]
    count = lambda number: f"{number:,}".replace(",", " ")
    rows = [
        (f"a CSV of {count(csv['edges'])} edges between {count(csv['nodes'])} strings, read and validated", csv),
        (
            f"a run of {count(links['nodes'])} nodes and {count(links['edges'])} edges loaded, and the "
            f"{links['k']} best partners of {count(links['asked'])} of them found",
            links,
        ),
    ]
    lines = ["| | seconds | memory beyond the import, MiB |", "|---|---|---|"]
    return "\n".join(lines + [f"| {text} | {case['seconds']:.1f} | {case['beyond_mib']:.0f} |" for text, case in rows])


if __name__ == "__main__":
    made = (links_table, likelihood_table, digits_table, generation_table, burda_table, few_labels_table)
    print(
        *(
            table()
            for table in (
                *made,
                pythae_table,
                steps_table,
                passes_table,
                paths_table,
                memory_sentence,
                scatter_sentence,
                own_data_table,
                new_nodes_table,
            )
        ),
        sep="\n\n",
    )
