"""Run folders of image models: the files of a graph's run but for what is a graph's.

config.json           estimator, arguments, versions, shape of the data, classes
weights.safetensors   encoder, prior and decoder, and a classifier if there is one
history.jsonl         one record per epoch
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from graphvae._check import InputError, resolve
from graphvae._files import reading, write_text
from graphvae.estimators.autoencoders import AE, CVAE, VAE
from graphvae.estimators.image_fitting import check_image_params
from graphvae.estimators.parameters import from_json, to_json
from graphvae.estimators.run_folder import (
    FORMAT,
    as_folder,
    read_history,
    read_safetensors,
    versions,
    write_history,
    write_weights,
    writing,
)
from graphvae.estimators.semi_supervised import SemiSupervisedVAE
from graphvae.nn.networks import CustomNetwork
from graphvae.training.loop import resolve_device

if TYPE_CHECKING:
    from graphvae.estimators.image_estimator import ImageEstimator

__all__ = ["IMAGE_ESTIMATORS", "load_image_run", "save_image_run"]

IMAGE_ESTIMATORS: dict[str, Any] = {"AE": AE, "VAE": VAE, "CVAE": CVAE, "SemiSupervisedVAE": SemiSupervisedVAE}


def save_image_run(model: ImageEstimator, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a fitted image model to the folder ``path``; it appears whole or not at all.

    Raises:
        InputError: if ``path`` exists and ``overwrite`` is not set, or is no run folder.
    """
    check_is_fitted(model)
    target = as_folder(path)
    classes = getattr(model, "classes_", None)
    if classes is not None and classes.dtype.kind not in "iuU":
        raise InputError(f"classes of type {classes.dtype} cannot be stored: expected integers or strings")
    config = {
        "format": FORMAT,
        "kind": "images",
        "estimator": type(model).__name__,
        "params": to_json(model.get_params(deep=False)),
        "fitted": {
            "num_features": model.n_features_in_,
            "image_shape": model.image_shape_,
            "classes": None if classes is None else classes.tolist(),
            "seconds": model.fit_seconds_,
        },
        "versions": versions(),
    }
    with writing(target, overwrite=overwrite) as work:
        write_weights(model.module_, work)
        write_history(model.history_, work)
        write_text(work / "config.json", json.dumps(config, indent=2) + "\n")
    return target


def load_image_run(folder: Path, config: dict[str, Any], device: str, network: Any) -> ImageEstimator:
    """The image model saved in ``folder``, fitted, on ``device``; see :func:`graphvae.load`."""
    for name in ("weights.safetensors", "history.jsonl"):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name} is missing: expected a complete run folder")
    with reading(folder / "config.json"):
        params = dict(config["params"])
        own = isinstance(params.get("network"), dict) and params["network"].get("name") == "custom"
        if own != isinstance(network, CustomNetwork):
            expected = "the CustomNetwork of its modules, which a run folder does not hold" if own else "None"
            raise InputError(f"network={network!r}: expected {expected}")
        if own:
            del params["network"]
        model: Any = resolve("estimator", config["estimator"], IMAGE_ESTIMATORS)(**from_json(params))
        if own:
            model.set_params(network=network)
        fitted = config["fitted"]
        options = check_image_params(model.get_params(deep=False), model.posterior_family)
        classes = fitted["classes"]
        seconds, shape = float(fitted["seconds"]), fitted["image_shape"]
        module = model._new_module(options, shape or (int(fitted["num_features"]),), len(classes or []))
    with reading(folder / "weights.safetensors") as file:
        module.load_state_dict(read_safetensors(file)[0])
    with reading(folder / "history.jsonl") as file:
        history = read_history(file)
    model.n_features_in_, model.image_shape_ = int(fitted["num_features"]), None if shape is None else tuple(shape)
    if classes is not None:
        model.classes_ = np.array(classes)
    model.module_, model.options_, model.history_ = module.to(resolve_device(device)).eval(), options, history
    model.fit_seconds_, model._n_features_out = seconds, options["latent_dim"]
    return model
