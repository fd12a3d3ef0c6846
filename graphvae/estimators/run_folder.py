"""Run folders: a fitted model as plain files, written all or not at all, and read without unpickling anything.

config.json           estimator, arguments, versions, what it was fitted on
weights.safetensors   encoder, prior and decoder
graph.safetensors     ids, labels, edges and split; of features only their origin and hash
features.json         how features were made of a table's columns, where they were
embeddings.npz        ids, posterior means and standard deviations
history.jsonl         one record per epoch
metrics.json          what evaluation reported, where it was run
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from graphvae._check import InputError, resolve
from graphvae._files import reading, replace_folder, write_text
from graphvae.data.encoding import as_encoding
from graphvae.estimators.fitting import Fitted, build_module, check_params
from graphvae.estimators.graph_files import StoredData, graph_to_tensors, ids_from_tensors
from graphvae.estimators.members import Member, other_runs
from graphvae.estimators.parameters import from_json
from graphvae.estimators.vgae import GAE, VGAE
from graphvae.nn.custom_encoder import CustomEncoder
from graphvae.training.loop import resolve_device

if TYPE_CHECKING:
    from graphvae.estimators.graph_estimator import GraphEstimator

__all__ = [
    "CHECKPOINT",
    "ESTIMATORS",
    "FORMAT",
    "as_folder",
    "check_target",
    "is_run",
    "load",
    "read_config",
    "read_history",
    "read_safetensors",
    "save_run",
    "versions",
    "write_history",
    "write_metrics",
    "write_weights",
    "writing",
]

FORMAT = 1
ESTIMATORS: dict[str, Any] = {"VGAE": VGAE, "GAE": GAE}
ENCODING = "features.json"
# A training run that is under way, or was killed, is this file alone, until the whole run takes its place.
CHECKPOINT = "checkpoint.safetensors"
FILES = ("config.json", "weights.safetensors", "graph.safetensors", "embeddings.npz", "history.jsonl")


def save_run(model: GraphEstimator, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a fitted model to the folder ``path``; it appears whole or not at all.

    Raises:
        InputError: if the model is not fitted, or ``path`` exists and ``overwrite`` is not set, or is no run folder.
    """
    from safetensors.torch import save_file

    fitted, target = model.fitted, as_folder(path)
    data = fitted.data()
    with writing(target, overwrite=overwrite) as work:
        write_weights(fitted.module, work)
        tensors, description = graph_to_tensors(data)
        save_file(tensors, work / "graph.safetensors", metadata={"description": json.dumps(description)})
        model.embed().save(work / "embeddings.npz")
        write_history(fitted.history, work)
        encoding = fitted.graph().encoding
        if encoding is not None:
            write_text(work / ENCODING, json.dumps(encoding.to_dict(), ensure_ascii=False) + "\n")
        write_text(work / "config.json", json.dumps(_config(model), indent=2) + "\n")
    return target


@contextmanager
def writing(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary folder that becomes the run ``target`` when the block ends well, and is removed if not.

    Raises:
        InputError: if ``target`` exists and ``overwrite`` is not set, or is no run folder.
    """
    check_target(target, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield work
        # Temporary folders and safetensors files are made for their author alone; a run is as public as its folder.
        os.chmod(work, 0o755)
        for file in work.iterdir():
            os.chmod(file, 0o644)
        _put(work, target, overwrite=overwrite)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_weights(module: nn.Module, work: Path) -> None:
    """``weights.safetensors`` of a run."""
    from safetensors.torch import save_file

    save_file({k: v.cpu().contiguous() for k, v in module.state_dict().items()}, work / "weights.safetensors")


def write_history(history: list[dict[str, float]], work: Path) -> None:
    """``history.jsonl`` of a run."""
    write_text(work / "history.jsonl", "".join(json.dumps(record) + "\n" for record in history))


def read_history(file: Path) -> list[dict[str, float]]:
    """The records of ``history.jsonl``."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def versions() -> dict[str, str]:
    """What wrote a run."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        ours = version("graphvae")
    except PackageNotFoundError:
        ours = "source tree"
    return {"graphvae": ours, "torch": str(torch.__version__)}


def _put(work: Path, target: Path, *, overwrite: bool) -> None:
    """Move ``work`` to ``target``; with ``overwrite`` a run that is there makes way, and comes back if that fails."""
    if not (overwrite and target.exists()):
        try:
            os.replace(work, target)
        except OSError:
            # Of two that write at the same time, the second finds a folder that is not empty.
            check_target(target, overwrite=overwrite)
            raise
        return
    replace_folder(work, target)


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a path that a run must not, or cannot, be written to; before training, not after."""
    above = next(folder for folder in target.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(f"out={str(target)!r}: {above} is no folder that can be written to")
    if not target.exists():
        return
    if not overwrite:
        hint = "; graphvae resume goes on with what is unfinished there" if (target / CHECKPOINT).is_file() else ""
        raise InputError(f"out={str(target)!r} exists: expected a new folder, or overwrite=True (--overwrite){hint}")
    if target.is_dir() and target.samefile(os.curdir):
        raise InputError(f"out={str(target)!r} is the current folder, which cannot be replaced: expected another")
    if not target.is_dir() or (not _is_unfinished(target) and not is_run(target)):
        raise InputError(f"out={str(target)!r} is not a run folder: it will not be overwritten")


def _is_unfinished(folder: Path) -> bool:
    """Whether nothing is there, or nothing but a checkpoint and what a kill left of the next one."""
    return all(CHECKPOINT in file.name for file in folder.iterdir())


def is_run(folder: Path) -> bool:
    """Whether its ``config.json`` is one of ours, of whatever format; many programs have a file of that name."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and {"format", "estimator", "params", "fitted"} <= set(config)


def load(path: str | Path, *, device: str = "auto", network: Any = None) -> Any:
    """The estimator saved in the run folder ``path``, fitted.

    Embeddings and link probabilities come from the folder alone. What needs the features again (``elbo``,
    ``evaluate``, ``sample``) reads them from their origin when it is called, and checks their hash.

    Args:
        path: a run folder.
        device: where the model is put.
        network: the :class:`graphvae.nn.CustomNetwork` or :class:`graphvae.nn.CustomEncoder` of a model that was fitted
            with one: a run folder holds weights, and no code.

    Raises:
        InputError: for a folder that is no run, of a newer format, or damaged; the message names the file.
    """
    folder = as_folder(path)
    config = read_config(folder)
    if config.get("kind") == "images":
        from graphvae.estimators.image_run import load_image_run

        return load_image_run(folder, config, device, network)
    return _load_graph_run(folder, config, device, network)


def _load_graph_run(folder: Path, config: dict[str, Any], device: str, network: Any) -> Any:
    from graphvae.evaluation.calibration import Calibration
    from graphvae.evaluation.isotonic import IsotonicCalibration
    from graphvae.evaluation.piecewise import PiecewiseCalibration
    from graphvae.export.embeddings import Embeddings

    for name in FILES:
        if not (folder / name).is_file():
            raise InputError(f"{folder / name} is missing: expected a complete run folder")
    with reading(folder / "graph.safetensors") as file:
        state, description = read_safetensors(file)
        node_ids = ids_from_tensors(state)
    encoding = as_encoding(folder / ENCODING) if (folder / ENCODING).is_file() else None
    with reading(folder / "config.json"):
        params = dict(config["params"])
        own = isinstance(params.get("encoder"), dict) and params["encoder"].get("name") == "custom"
        if own != isinstance(network, CustomEncoder) or not (own or network is None):
            expected = "the CustomEncoder of its module, which a run folder does not hold" if own else "None"
            raise InputError(f"network={network!r}: expected {expected}")
        model = resolve("estimator", config["estimator"], ESTIMATORS)(
            **from_json({name: value for name, value in params.items() if not (own and name == "encoder")})
        )
        if own:
            model.set_params(encoder=network)
        fitted = config["fitted"]
        settled = fitted["settled"]
        options = check_params({**model.get_params(), **from_json(settled)})
        sizes = fitted["num_nodes"], fitted["num_features"]
        if sizes != (len(node_ids), description["graph"]["num_features"]):
            raise InputError("its nodes and features are not those of graph.safetensors")
        module = build_module(options, model.posterior_family, *sizes, fitted["train_density"])
        kinds = {"isotonic": IsotonicCalibration, "piecewise": PiecewiseCalibration}
        kind: Any = kinds.get(fitted["calibration"].get("method"), Calibration)
        known = {
            "density": fitted["density"],
            "calibration": kind.from_dict(fitted["calibration"]),
            "best_epoch": fitted["best_epoch"],
            "split_hash": fitted["split_hash"],
            "path": fitted["path"],
            "seconds": fitted["seconds"],
            "settled": settled,
            "why": fitted["why"],
        }
        if options["structure"] is not None:
            module.structure = options["structure"].build(len(node_ids))
        for _ in other_runs(params, options["patience"], 0):
            other = build_module(options, model.posterior_family, *sizes, fitted["train_density"])
            module.others.append(Member(other, torch.zeros(len(node_ids), options["latent_dim"])))
    with reading(folder / "weights.safetensors") as file:
        module.load_state_dict(read_safetensors(file)[0])
    with reading(folder / "embeddings.npz") as file:
        embeddings = Embeddings.load(file)
        shape = (len(node_ids), options["latent_dim"])
        if embeddings.vectors.shape != shape or not np.array_equal(embeddings.ids, node_ids):
            raise InputError(f"expected vectors {shape} of the nodes of graph.safetensors")
        if (embeddings.scale is not None) != model.is_variational:
            raise InputError(f"scale: expected {'one' if model.is_variational else 'none'} of a {type(model).__name__}")
    with reading(folder / "history.jsonl") as file:
        history = read_history(file)
    model._fitted = Fitted(
        label=config["estimator"],
        params=config["params"],
        module=module.to(resolve_device(device)).eval(),
        posterior=model.posterior_family,
        num_features=fitted["num_features"],
        node_ids=node_ids,
        # Copies, because those of Embeddings are read-only, and torch warns of such.
        mean=embeddings.vectors.copy(),
        scale=None if embeddings.scale is None else embeddings.scale.copy(),
        history=history,
        source=StoredData(folder / "graph.safetensors", state, description, encoding),
        **known,
    )
    return model


def as_folder(path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise InputError(f"path={path!r}: expected the path of a run folder")
    return Path(path)


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a run, its format checked.

    Raises:
        InputError: if there is none, or it cannot be read by this version.
    """
    file = folder / "config.json"
    if not file.is_file():
        raise InputError(f"{str(folder)!r} is not a run folder: it has no config.json")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        version = config["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is damaged: {error!r}") from None
    if version != FORMAT:
        raise InputError(f"{file} has format {version!r}: this version of graphvae reads format {FORMAT}")
    return config


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write ``metrics.json`` of a run, atomically."""
    write_text(folder / "metrics.json", json.dumps(metrics, indent=2, allow_nan=False) + "\n")


def _config(model: GraphEstimator) -> dict[str, Any]:
    fitted = model.fitted
    graph = fitted.graph()
    return {
        "format": FORMAT,
        "estimator": type(model).__name__,
        "params": fitted.params,
        "fitted": {
            "num_nodes": len(fitted.node_ids),
            "num_features": fitted.num_features,
            "train_density": graph.density,
            "density": fitted.density,
            "split_hash": fitted.split_hash,
            "best_epoch": fitted.best_epoch,
            "path": fitted.path,
            "seconds": fitted.seconds,
            "settled": fitted.settled,
            "why": fitted.why,
            "calibration": fitted.calibration.to_dict(),
        },
        "versions": versions(),
    }


def read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as stored:
        metadata = stored.metadata() or {}
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
    return tensors, json.loads(metadata.get("description", "{}"))
