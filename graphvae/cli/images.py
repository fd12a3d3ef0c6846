"""Image models on the command line: ``graphvae train DATA --model vae``, ``graphvae sample`` and ``graphvae plot``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from graphvae._check import InputError
from graphvae.cli.output import say, show, table

if TYPE_CHECKING:
    from graphvae.cli.prepare import Prepared
    from graphvae.data.images import Images
    from graphvae.training.checkpoint import Checkpoint

__all__ = ["IMAGE_MODELS", "evaluate_images", "held_out", "plot", "sample", "train_images"]

IMAGE_MODELS = {"ae": "AE", "vae": "VAE", "cvae": "CVAE", "m2": "SemiSupervisedVAE"}

Run = Annotated[Path, typer.Argument(help="A run folder, as written by graphvae train.")]


def train_images(run: Prepared, checkpoint: Checkpoint, *, quiet: bool, as_json: bool) -> None:
    """Train an image model, score it on held-out images, and write a run folder."""
    from graphvae.estimators.image_run import save_image_run
    from graphvae.estimators.parameters import component
    from graphvae.estimators.run_folder import write_metrics
    from graphvae.nn.convolutional import ConvNetwork

    estimator = run.estimator
    origin = {"name": run.data, "test": run.test, "seed": estimator.seed}
    train, held = _parts(origin)
    say(f"{run.data}: {len(train)} images to train on, {len(held)} for the test, {train.num_features} values each")
    # Only convolutions care which pixels are neighbours.
    is_conv = isinstance(component("network", estimator.network), ConvNetwork)
    pixels = train.unflat().x if is_conv else train.x
    estimator.fit(pixels, train.y, progress=not quiet, checkpoint=checkpoint)
    text, figures = _scores(estimator, held)
    save_image_run(estimator, run.folder, overwrite=run.overwrite or checkpoint.file.is_file())
    metrics = {"run": str(run.folder), "data": origin, "test": figures}
    write_metrics(run.folder, metrics)
    show(text, metrics, as_json=as_json)
    say(f"written to {run.folder}")


def evaluate_images(run: Path, *, as_json: bool) -> None:
    """Score an image model on the images its run held out."""
    from graphvae.estimators.run_folder import load

    origin = _origin(run)
    text, figures = _scores(load(run), _parts(origin)[1])
    show(text, {"run": str(run), "data": origin, "test": figures}, as_json=as_json)


def sample(
    run: Run,
    to: Annotated[Path, typer.Option(help="File to write: .npy, or a picture (.png, .svg).")],
    count: Annotated[int, typer.Option("--count", "-n", help="Number of images.")] = 64,
    y: Annotated[str | None, typer.Option(help="Class of all, for a conditional model.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    mean: Annotated[bool, typer.Option("--mean", help="Means of p(x|z) rather than draws.")] = False,
) -> None:
    """Draw images from an image model's prior."""
    from graphvae._files import atomic_path
    from graphvae.estimators.run_folder import load
    from graphvae.plots.images import plot_grid

    if to.suffix not in (".npy", ".png", ".svg"):
        raise InputError(f"--to={str(to)!r}: expected a name that ends in .npy, .png or .svg")
    model = _image_model(load(run), run)
    drawn = model.sample(count, _label(model, y), seed=seed, mean=mean)
    if to.suffix == ".npy":
        with atomic_path(to) as path:
            np.save(path, drawn, allow_pickle=False)
    else:
        plot_grid(drawn, to)
    say(f"{count} images written to {to}")


def plot(run: Run) -> None:
    """Draw what a run has to show, into its folder: training curves, and images or embeddings."""
    from graphvae.estimators.graph_estimator import GraphEstimator
    from graphvae.estimators.run_folder import load
    from graphvae.plots.embedding import plot_embedding
    from graphvae.plots.history import plot_history
    from graphvae.plots.images import plot_grid, plot_manifold, plot_reconstructions

    model: Any = load(run)
    if isinstance(model, GraphEstimator):
        graph = model.fitted.graph_or_none()
        written = [plot_history(model.history, run / "history.png")]
        labels = None if graph is None or graph.y is None else graph.y.numpy()
        written.append(plot_embedding(model.embed().vectors, labels, path=run / "embeddings.png"))
    else:
        written = [plot_history(model.history_, run / "history.png")]
        held = held_out(run).select(np.arange(16))
        y = None if held.y is None else held.y.numpy()
        written.append(plot_reconstructions(held.x.numpy(), model.reconstruct(held.x, y), run / "reconstructions.png"))
        if model.is_variational:
            label = None if not hasattr(model, "classes_") else model.classes_[np.arange(64) % len(model.classes_)]
            written.append(plot_grid(model.sample(64, label, mean=True), run / "samples.png"))
            if model.options_["latent_dim"] == 2 and not hasattr(model, "classes_"):
                written.append(plot_manifold(model.traverse(steps=15), run / "manifold.png"))
    say(*(f"written {path}" for path in written))


def held_out(run: Path) -> Images:
    """The images that a run did not train on."""
    return _parts(_origin(run))[1]


def _parts(origin: dict[str, Any]) -> tuple[Images, Images]:
    """Training and test images: the data set's own parts where it has them, else a seeded split."""
    from graphvae.data.registry import card, dataset_names, load_images

    name = origin["name"]
    if name in dataset_names("images") and getattr(card(name).counts, "test", False):
        return load_images(name, part="train"), load_images(name, part="test")
    return load_images(name).split(origin["test"], seed=origin["seed"])


def _scores(model: Any, held: Images) -> tuple[str, dict[str, Any]]:
    """Figures per held-out image, in nats, as a table and as a mapping."""
    from graphvae.evaluation.bits import bits_per_dimension

    y = None if held.y is None else held.y.numpy()
    figures: dict[str, Any] = {"images": len(held)}
    if model.is_variational:
        elbo, log_likelihood, kl = (float(term.mean()) for term in model.elbo_terms(held.x, y))
        marginal = float(model.log_marginal(held.x, y, samples=100).mean())
        step = None if model.options_["observation"].binary else held.quantisation
        figures.update(elbo=elbo, log_likelihood=log_likelihood, kl=kl, log_marginal=marginal)
        if model.options_["observation"].binary or step is not None:
            figures["bits_per_dimension"] = float(bits_per_dimension(marginal, held.num_features, step))
    else:
        figures["log_likelihood"] = model.score(held.x, y)
    if hasattr(model, "predict"):
        figures["accuracy"] = float((model.predict(held.x) == y).mean())
    rows = [[name.replace("_", " "), f"{value:,.3f}".rstrip("0").rstrip(".")] for name, value in figures.items()]
    return table(["test, nats per image", ""], rows), figures


def _image_model(model: Any, run: Path) -> Any:
    if not hasattr(model, "reconstruct"):
        raise InputError(f"{str(run)!r} holds a {type(model).__name__}: expected an image model")
    return model


def _label(model: Any, y: str | None) -> Any:
    """``y`` as one of the model's classes; the command line compares the str form."""
    if y is None:
        return None
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise InputError(f"--y={y!r}: {type(model).__name__} knows no classes")
    for known in classes:
        if str(known) == y:
            return known
    raise InputError(f"--y={y!r}: expected one of {', '.join(map(str, classes))}")


def _origin(run: Path) -> dict[str, Any]:
    """What data a run was trained on, from its ``metrics.json``."""
    from graphvae._files import reading

    if not (run / "metrics.json").is_file():
        raise InputError(f"{run / 'metrics.json'} is missing: only a run of graphvae train knows its data")
    with reading(run / "metrics.json") as file:
        return dict(json.loads(file.read_text(encoding="utf-8"))["data"])
