"""``graphvae train``: data in, a run folder out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphvae.cli.images import IMAGE_MODELS, train_images
from graphvae.cli.output import say, show
from graphvae.cli.prepare import Prepared, prepare
from graphvae.cli.settings import read_settings, to_toml

if TYPE_CHECKING:
    from graphvae.training.checkpoint import Checkpoint

__all__ = ["carry_out", "train"]


def train(
    data: Annotated[
        str | None,
        typer.Argument(help="A data set, an edge-list file, or a .npy or .npz file of images."),
    ] = None,
    *,
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings, named as these flags are; flags come before it.")
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print all settings, as such a file has them, and train nothing.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(help="vgae or gae for graphs; vae, ae, cvae or m2 for images.", show_default="vgae"),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Settings of vgae: paper, auto, strong, strong-featureless, elbo or generative."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Training steps, full batch.")] = None,
    latent_dim: Annotated[int | None, typer.Option(help="Dimension of the latent space.")] = None,
    hidden_dims: Annotated[str | None, typer.Option(help="Widths of hidden layers: 32 or 64,32 or none.")] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="kipf, elbo, iwae, sampled, masked, adversarial or free-bits (adversarial:elbo for another base); "
            "kipf:exact and the like ask for a path; for vae: elbo, beta or iwae."
        ),
    ] = None,
    prior: Annotated[str | None, typer.Option(help="normal, features or mixture (vgae).")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="gcn, hops or auto, for graphs; with settings: '{ name = \"hops\", hops = 3 }'.")
    ] = None,
    decoder: Annotated[
        str | None,
        typer.Option(help="inner_product, cosine, bilinear, distance, mlp or bernoulli_poisson, for graphs."),
    ] = None,
    structure: Annotated[
        str | None, typer.Option(help="walks: learn what walks and degrees say of a pair, too (vgae); or none.")
    ] = None,
    dropout: Annotated[float | None, typer.Option(help="Rate in the encoder.")] = None,
    beta: Annotated[float | None, typer.Option(help="Weight of the KL divergence (vgae).")] = None,
    kl_warmup: Annotated[int | None, typer.Option(help="Epochs over which that weight grows (vgae).")] = None,
    learning_rate: Annotated[
        str | None, typer.Option(help="Adam's; 0.01,0.001 changes from the one to the other over the epochs.")
    ] = None,
    patience: Annotated[str | None, typer.Option(help="Select on validation; stop after this many epochs.")] = None,
    posterior: Annotated[
        str | None,
        typer.Option(help="gaussian, full-gaussian, hyperspherical, flow, semi-implicit or point (vgae, vae)."),
    ] = None,
    likelihood: Annotated[
        str | None, typer.Option(help="gaussian, bernoulli or continuous_bernoulli (images).")
    ] = None,
    network: Annotated[str | None, typer.Option(help="dense or conv (images).")] = None,
    free_bits: Annotated[float | None, typer.Option(help="Nats per latent unit free of charge (vae, cvae).")] = None,
    binarize: Annotated[str | None, typer.Option(help="threshold or stochastic, for bernoulli (images).")] = None,
    samples: Annotated[int | None, typer.Option(help="Draws of z per step (variational models).")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images in one step.")] = None,
    classifier_weight: Annotated[float | None, typer.Option(help="Weight of the classifier's loss (m2).")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    val: Annotated[
        float | None, typer.Option(help="Share of edges for validation (graphs).", show_default="0.05")
    ] = None,
    test: Annotated[
        float | None, typer.Option(help="Share of edges, or of images, for the test.", show_default="0.1")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Links held out: random, connected, temporal or inductive.", show_default="random"),
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of edge times (files); the newest are held out.")] = None,
    split: Annotated[
        Path | None, typer.Option(help="File of a fixed split (.csv, .npz: source, target, part, label).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the split and the model.", show_default="0")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/<data>-<model>-<seed> by default.")] = None,
    overwrite: Annotated[
        bool | None, typer.Option("--overwrite", help="Replace an existing run folder.", show_default=False)
    ] = None,
    no_features: Annotated[
        bool | None, typer.Option("--no-features", help="Leave out a data set's features.", show_default=False)
    ] = None,
    source: Annotated[str | None, typer.Option(help="Column of the edge's one end (files).")] = None,
    target: Annotated[str | None, typer.Option(help="Column of the edge's other end (files).")] = None,
    weight: Annotated[str | None, typer.Option(help="Column of edge weights (files).")] = None,
    features: Annotated[Path | None, typer.Option(help="Table of node features keyed by id (files).")] = None,
    feature_id: Annotated[str | None, typer.Option(help="Its column of ids; the first by default.")] = None,
    feature_kinds: Annotated[
        str | None,
        typer.Option(
            help='Kinds of its columns where values should not decide: \'{ zip = "category", note = "skip" }\'.'
        ),
    ] = None,
    self_loops: Annotated[str | None, typer.Option(help="error or drop (files).")] = None,
    duplicates: Annotated[
        str | None, typer.Option(help="Repeats with other weights: error, first, sum, mean or max (files).")
    ] = None,
    bad_rows: Annotated[str | None, typer.Option(help="error or drop (files).")] = None,
    id_dtype: Annotated[
        str | None, typer.Option(help="What ids are, int or str; those of text are str (files).")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="What separates columns, if the name does not tell.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    checkpoint_every: Annotated[
        float, typer.Option(help="Seconds after which what graphvae resume goes on from is saved again.")
    ] = 60.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Hold out a test part, train, evaluate on it once, and write a run folder."""
    settings = read_settings(train, locals())
    with settings.told():
        prepared = prepare(settings)
        if print_config:
            show(to_toml(prepared.resolved), prepared.resolved, as_json=as_json)
        else:
            carry_out(prepared, checkpoint_every, quiet=quiet, as_json=as_json)


def carry_out(run: Prepared, every: float, *, resumed: bool = False, quiet: bool, as_json: bool) -> None:
    """Train, evaluate and write a run, saving it every so many seconds on the way, for ``graphvae resume``."""
    from graphvae.estimators.run_folder import CHECKPOINT, check_target
    from graphvae.training.checkpoint import Checkpoint
    from graphvae.training.loop import NonFiniteError

    check_target(run.folder, overwrite=run.overwrite or resumed)
    checkpoint = Checkpoint(run.folder / CHECKPOINT, every, run.from_anywhere, fresh=not resumed)
    carry = train_images if run.model in IMAGE_MODELS else _train_graph
    try:
        carry(run, checkpoint, quiet=quiet, as_json=as_json)
    except NonFiniteError:  # to which it would only come again
        checkpoint.discard()
        raise
    except KeyboardInterrupt:
        if checkpoint.file.is_file():
            say(f"graphvae resume {run.folder} goes on from where it was last saved")
        raise


def _train_graph(run: Prepared, checkpoint: Checkpoint, *, quiet: bool, as_json: bool) -> None:
    from graphvae.estimators.run_folder import save_run, write_metrics

    graph, estimator = run.read(), run.estimator
    split = run.hold_out(graph)
    say(
        f"{run.data}: {graph.num_nodes} nodes, {graph.num_edges} edges, {graph.num_features or 'no'} features",
        str(split),
    )
    estimator.fit(split, progress=not quiet, checkpoint=checkpoint)
    say(f"objective {estimator.objective}, path {estimator.fitted.path}")
    metrics: dict[str, Any] = {"run": str(run.folder)}
    text = ""
    for part, links in (("val", split.val), ("test", split.test)):
        if links.positive.shape[1]:
            report = estimator.evaluate(split, part=part)
            metrics[part] = report.to_dict()
            text = str(report)
    save_run(estimator, run.folder, overwrite=run.overwrite or checkpoint.file.is_file())
    write_metrics(run.folder, metrics)
    show(text or "no pairs held out, nothing to evaluate", metrics, as_json=as_json)
    say(f"written to {run.folder}")
