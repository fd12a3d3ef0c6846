"""``graphvae train``: data in, a run folder out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from graphvae._check import InputError, one_of
from graphvae.cli.images import IMAGE_MODELS, train_images
from graphvae.cli.output import say, show

__all__ = ["train"]


def train(
    data: Annotated[
        str,
        typer.Argument(help="A data set, an edge-list file, or a .npy or .npz file of images."),
    ],
    model: Annotated[str, typer.Option(help="vgae or gae for graphs; vae, ae, cvae or m2 for images.")] = "vgae",
    preset: Annotated[
        str | None, typer.Option(help="Whole settings of vgae: paper, strong, strong-featureless, elbo or generative.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Training steps, full batch.")] = None,
    latent_dim: Annotated[int | None, typer.Option(help="Dimension of the latent space.")] = None,
    hidden_dims: Annotated[str | None, typer.Option(help="Widths of hidden layers: 32 or 64,32 or none.")] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="kipf, elbo, sampled, masked or adversarial (adversarial:elbo for another base); kipf:exact and the "
            "like ask for a path; for vae: elbo, beta or iwae."
        ),
    ] = None,
    prior: Annotated[str | None, typer.Option(help="normal or features (vgae).")] = None,
    dropout: Annotated[float | None, typer.Option(help="Rate in the encoder.")] = None,
    beta: Annotated[float | None, typer.Option(help="Weight of the KL divergence (vgae).")] = None,
    kl_warmup: Annotated[int | None, typer.Option(help="Epochs over which that weight grows (vgae).")] = None,
    learning_rate: Annotated[
        str | None, typer.Option(help="Adam's; 0.01,0.001 changes from the one to the other over the epochs.")
    ] = None,
    patience: Annotated[int | None, typer.Option(help="Select on validation; stop after this many epochs.")] = None,
    posterior: Annotated[
        str | None, typer.Option(help="gaussian, full-gaussian, hyperspherical, flow or point (vgae, vae).")
    ] = None,
    likelihood: Annotated[
        str | None, typer.Option(help="gaussian, bernoulli or continuous_bernoulli (images).")
    ] = None,
    network: Annotated[str | None, typer.Option(help="dense or conv (images).")] = None,
    free_bits: Annotated[float | None, typer.Option(help="Nats per latent unit free of charge (vae, cvae).")] = None,
    binarize: Annotated[str | None, typer.Option(help="threshold or stochastic, for bernoulli (images).")] = None,
    samples: Annotated[int | None, typer.Option(help="Draws of z per step (variational models).")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images in one step.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    val: Annotated[float, typer.Option(help="Share of edges for validation.")] = 0.05,
    test: Annotated[float, typer.Option(help="Share of edges for the test.")] = 0.10,
    seed: Annotated[int, typer.Option(help="Seed of the split and the model.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/<data>-<model>-<seed> by default.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing run folder.")] = False,
    no_features: Annotated[bool, typer.Option("--no-features", help="Leave out a data set's features.")] = False,
    source: Annotated[str | None, typer.Option(help="Column of the edge's one end (files).")] = None,
    target: Annotated[str | None, typer.Option(help="Column of the edge's other end (files).")] = None,
    weight: Annotated[str | None, typer.Option(help="Column of edge weights (files).")] = None,
    features: Annotated[Path | None, typer.Option(help="Table of node features keyed by id (files).")] = None,
    self_loops: Annotated[str | None, typer.Option(help="error or drop (files).")] = None,
    duplicates: Annotated[
        str | None, typer.Option(help="Repeats with other weights: error, first, sum, mean or max (files).")
    ] = None,
    bad_rows: Annotated[str | None, typer.Option(help="error or drop (files).")] = None,
    delimiter: Annotated[str | None, typer.Option(help="What separates columns, if the name does not tell.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Hold out a test part, train, evaluate on it once, and write a run folder."""
    from graphvae.data.splits import split_links
    from graphvae.estimators.run_folder import ESTIMATORS, check_target, save_run, write_metrics
    from graphvae.estimators.vgae import VGAE

    one_of("--model", model, [*(name.lower() for name in ESTIMATORS), *IMAGE_MODELS])
    settings: dict[str, Any] = {
        "epochs": epochs,
        "latent_dim": latent_dim,
        "hidden_dims": None if hidden_dims is None else _widths(hidden_dims),
        "objective": objective,
        "prior": prior,
        "dropout": dropout,
        "beta": beta,
        "kl_warmup": kl_warmup,
        "learning_rate": None if learning_rate is None else _rates(learning_rate),
        "patience": patience,
        "posterior": posterior,
        "likelihood": likelihood,
        "network": network,
        "free_bits": free_bits,
        "binarize": binarize,
        "samples": samples,
        "batch_size": batch_size,
        "device": device,
        "seed": seed,
    }
    chosen = {name: value for name, value in settings.items() if value is not None}
    if preset is not None and model != "vgae":
        raise InputError(f"--preset={preset!r}: expected with --model vgae only")
    file_options = {
        "source": source,
        "target": target,
        "weight": weight,
        "features": None if features is None else str(features),
        "self_loops": self_loops,
        "duplicates": duplicates,
        "bad_rows": bad_rows,
        "delimiter": delimiter,
    }
    file_options = {name: value for name, value in file_options.items() if value is not None}
    if model in IMAGE_MODELS:
        for name in [*file_options, *(["no_features"] if no_features else [])]:
            raise InputError(f"--{name.replace('_', '-')}: expected with a graph model; {model} is one of images")
        train_images(data, model, chosen, test=test, out=out, overwrite=overwrite, quiet=quiet, as_json=as_json)
        return
    if model == "vgae":
        estimator = VGAE.preset(preset or "paper", **chosen)
    else:
        estimator = ESTIMATORS[model.upper()]().set_params(**chosen)
    folder = out or Path("runs") / f"{Path(data).name.split('.')[0] or 'graph'}-{model}-{seed}"
    check_target(folder, overwrite=overwrite)
    graph = _load(data, file_options, no_features)
    split = split_links(graph, val=val, test=test, seed=seed)
    say(f"{data}: {graph.num_nodes} nodes, {graph.num_edges} edges, {graph.num_features or 'no'} features", str(split))
    estimator.fit(split, progress=not quiet)
    say(f"objective {estimator.objective}, path {estimator.fitted.path}")
    metrics: dict[str, Any] = {"run": str(folder)}
    text = ""
    for part, share in (("val", val), ("test", test)):
        if share:
            report = estimator.evaluate(split, part=part)
            metrics[part] = report.to_dict()
            text = str(report)
    save_run(estimator, folder, overwrite=overwrite)
    write_metrics(folder, metrics)
    show(text or "no pairs held out, nothing to evaluate", metrics, as_json=as_json)
    say(f"written to {folder}")


def _load(data: str, file_options: dict[str, Any], no_features: bool) -> Any:
    """A data set by name, or a graph from an edge-list file."""
    from graphvae.data.graph import Graph
    from graphvae.data.registry import dataset_names, load_graph

    if data in dataset_names():
        if file_options:
            name, value = next(iter(file_options.items()))
            raise InputError(f"--{name.replace('_', '-')}={value!r}: {data} is a data set; expected with a file only")
        return load_graph(data, features=not no_features)
    if Path(data).is_file():
        if no_features:
            raise InputError("--no-features: expected with a data set; a file has the features --features names")
        return Graph.from_edges(data, **file_options)
    if Path(data).suffix or os.sep in data or (data and Path(data).exists()):
        known = ", ".join(dataset_names("graph"))
        raise InputError(f"{data!r} is no file: expected a path to an edge list, or one of {known}")
    return load_graph(data)


def _widths(text: str) -> tuple[int, ...]:
    if text.strip() in ("", "none"):
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--hidden-dims={text!r}: expected widths such as 32 or 64,32, or none") from None


def _rates(text: str) -> float | tuple[float, ...]:
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--learning-rate={text!r}: expected a number, or two such as 0.01,0.001") from None
    return rates[0] if len(rates) == 1 else rates
