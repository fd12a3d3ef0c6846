"""``graphvae quickstart``: the whole job on embedded data, without a network."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphvae.cli.output import say, show

if TYPE_CHECKING:
    from graphvae.data.graph import Graph
    from graphvae.data.images import Images
    from graphvae.estimators.autoencoders import VAE
    from graphvae.estimators.vgae import VGAE

__all__ = ["quickstart"]

LATENT_DIM = 16

# Of the networks on pixels; with one layer of 256 the bound is no better, and the samples are worse.
IMAGES: dict[str, Any] = {"latent_dim": LATENT_DIM, "hidden_dims": (128, 128), "learning_rate": 2e-3}

SEEN = """\
Four models of the same digits, each with {dim} latent dimensions and without labels. VAE, AE and PCA see all 64 pixels;
their rows are of {held} digits they did not train on. The VGAE sees the lower halves, and links between digits whose
upper halves look alike; its row is of the graph it trained on, all {nodes} digits. Bounds of different data do not
compare, and more digits are more neighbours to learn from."""


def quickstart(
    out: Annotated[Path, typer.Option(help="Run folder; an earlier quickstart there is replaced.")] = Path(
        "runs/quickstart"
    ),
    epochs: Annotated[int, typer.Option(help="Passes over the data, of every model.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the splits and the models.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a VGAE on the digits-knn graph and image models beside it; report, and write embeddings and pictures."""
    from graphvae.data.registry import card, load_graph
    from graphvae.data.splits import split_links
    from graphvae.estimators.comparison import compare
    from graphvae.estimators.run_folder import check_target, save_run, write_metrics
    from graphvae.estimators.vgae import VGAE
    from graphvae.plots.embedding import plot_embedding
    from graphvae.plots.history import plot_history
    from graphvae.plots.projection import plot_projections

    check_target(out, overwrite=_replaceable(out))
    graph = load_graph("digits-knn")
    say(
        f"digits-knn: {card('digits-knn').title}",
        f"{graph.num_nodes} nodes, {graph.num_edges} edges, {graph.num_features} features",
    )
    split = split_links(graph, val=0.05, test=0.10, seed=seed)
    model = VGAE(latent_dim=LATENT_DIM, epochs=epochs, seed=seed).fit(split, progress=True)
    report = model.evaluate(split)
    models, held = _beside_images(model, split.train, epochs=epochs, seed=seed)
    comparison = compare(models)
    save_run(model, out, overwrite=True)
    metrics = {"command": "quickstart", "run": str(out), "test": report.to_dict(), "comparison": comparison.to_dict()}
    write_metrics(out, metrics)
    embeddings = model.embed()
    written = {
        "embeddings": out / "embeddings.csv",
        "picture": out / "embeddings.png",
        "training": out / "history.png",
        "images": out / "images.png",
        "latents": out / "latents.png",
    }
    embeddings.save(written["embeddings"])
    plot_embedding(
        embeddings.vectors,
        labels=None if graph.y is None else graph.y.numpy(),
        path=written["picture"],
        title="digits-knn: posterior means of the VGAE, in two principal components",
    )
    plot_history(model.history, written["training"])
    _draw_images(models["VAE"][0], held, written["images"], seed=seed)
    latents = {
        name: (fitted.transform(data if fitted is model else data.x.numpy()), data.y.numpy())
        for name, (fitted, data) in models.items()
    }
    plot_projections(latents, written["latents"], method="pca", title="Latents of each, in two principal components")
    seen = SEEN.format(dim=LATENT_DIM, held=len(held), nodes=graph.num_nodes)
    data = {**metrics, "written": {name: str(path) for name, path in written.items()}}
    show(f"{report}\n\n{seen}\n\n{comparison}", data, as_json=as_json)
    say(
        f"run folder              {out}",
        f"embeddings              {written['embeddings']}",
        f"picture of them         {written['picture']}",
        f"picture of the training {written['training']}",
        f"digits, VAE's samples   {written['images']}",
        f"latents of all models   {written['latents']}",
        f"next: graphvae evaluate {shlex.quote(str(out))} --samples 3 --source posterior",
    )


def _beside_images(model: VGAE, graph: Graph, *, epochs: int, seed: int) -> tuple[dict[str, tuple[Any, Any]], Images]:
    """The VGAE and three models of the digits' pixels, each with the data to judge it on; and the digits held out."""
    from sklearn.decomposition import PCA

    from graphvae.data.registry import load_images
    from graphvae.estimators.autoencoders import AE, VAE

    train, held = load_images("digits").split(0.2, seed=seed)
    say(f"digits: {len(train)} images to train a VAE and an AE on, {len(held)} held out, {train.num_features} pixels")
    vae, ae = (kind(**IMAGES, epochs=epochs, seed=seed).fit(train.x, progress=True) for kind in (VAE, AE))
    pca = PCA(LATENT_DIM, random_state=seed).fit(train.x.numpy())
    return {"VAE": (vae, held), "AE": (ae, held), "PCA": (pca, held), "VGAE": (model, graph)}, held


def _draw_images(vae: VAE, held: Images, path: Path, *, seed: int) -> None:
    """Digits, their reconstructions, and samples, a dozen in a row."""
    import numpy as np

    from graphvae.plots.images import plot_grid

    shown = held.x[:12].numpy()
    samples = vae.sample(24, seed=seed, mean=True).reshape(2, *shown.shape)
    plot_grid(
        np.stack([shown, vae.reconstruct(shown), *samples]),
        path,
        row_labels=["held out", "reconstruction", "sample", "sample"],
        title="Digits the VAE has not seen, what it makes of them, and digits it makes up",
    )


def _replaceable(out: Path) -> bool:
    """Whether ``out`` is empty or an earlier quickstart; no other run is replaced unasked."""
    try:
        return not any(out.iterdir()) or json.loads((out / "metrics.json").read_text())["command"] == "quickstart"
    except (OSError, ValueError, KeyError, TypeError):
        return False
