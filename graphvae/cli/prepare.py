"""What ``graphvae train`` is about to do: an estimator, a run folder and data, all checked before anything is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from graphvae._check import InputError, number, one_of
from graphvae.cli.hold_out import holder
from graphvae.cli.images import IMAGE_MODELS
from graphvae.cli.settings import Settings

__all__ = ["Prepared", "prepare"]

OF_FILES = (
    *("source", "target", "weight", "features", "feature_id", "feature_kinds"),
    *("self_loops", "duplicates", "bad_rows", "delimiter", "id_dtype"),
)
OF_SPLITS = ("protocol", "time", "split")
OF_GRAPHS = (*OF_FILES, *OF_SPLITS, "no_features", "val")
# All others are arguments of estimators.
OF_RUNS = (*OF_GRAPHS, "data", "model", "preset", "test", "out", "overwrite")
SHARES = {"val": 0.05, "test": 0.10}


@dataclass(frozen=True)
class Prepared:
    """A run before it starts.

    Attributes:
        data: name or file.
        model: as on the command line.
        estimator: not fitted yet, its arguments checked.
        read: reads the graph (of image models, nothing).
        hold_out: makes the split of that graph.
        test: share of edges or images for the test.
        folder: where the run is written.
        overwrite: whether it may replace one.
        resolved: every setting, JSON-able, as a ``--config`` file has it.
    """

    data: str
    model: str
    estimator: Any
    read: Callable[[], Any]
    hold_out: Callable[[Any], Any]
    test: float
    folder: Path
    overwrite: bool
    resolved: dict[str, Any]

    @property
    def from_anywhere(self) -> dict[str, Any]:
        """``resolved`` for another working folder: its files by their whole paths."""
        data = os.path.abspath(self.data) if os.path.isfile(self.data) else self.data
        files = [name for name in ("features", "split") if name in self.resolved]
        return {**self.resolved, **{name: os.path.abspath(self.resolved[name]) for name in files}, "data": data}


def prepare(settings: Settings) -> Prepared:
    """The run that ``settings`` ask for.

    Raises:
        InputError: for arguments that the estimator does not have or that are out of their range, and for data that
            are not there.
    """
    from graphvae.estimators.parameters import to_json

    values = settings.values
    if "data" not in values:
        raise InputError("Missing argument 'DATA': expected a data set or a file, here or as data in --config")
    data, model, estimator = values["data"], values.get("model", "vgae"), _estimator(settings)
    is_image = model in IMAGE_MODELS
    if is_image:
        for name in settings.among(*OF_GRAPHS):
            raise InputError(f"{settings.label(name)}: expected with a graph model; {model} is one of images")
    val, test = (number(name, values.get(name, share), low=0, high=1) for name, share in SHARES.items())
    folder = values.get("out") or Path("runs") / f"{Path(data).name.split('.')[0] or 'graph'}-{model}-{estimator.seed}"
    shared = "split" not in values
    return Prepared(
        data=data,
        model=model,
        estimator=estimator,
        read=(lambda: None) if is_image else _reader(settings, data),
        hold_out=holder(settings, val=val, test=test, seed=estimator.seed),
        test=test,
        folder=folder,
        overwrite=values.get("overwrite", False),
        resolved={
            "data": data,
            "model": model,
            **to_json(estimator.get_params(deep=False)),
            **({"val": val} if shared and not is_image else {}),
            **({"test": test} if shared else {}),
            **{
                name: str(item) if isinstance(item, Path) else item
                for name, item in settings.among(*OF_FILES, *OF_SPLITS).items()
            },
            **settings.among("no_features"),
            "out": str(folder),
            **settings.among("overwrite"),
        },
    )


def _estimator(settings: Settings) -> Any:
    from graphvae.estimators.auto import presumed
    from graphvae.estimators.fitting import check_params
    from graphvae.estimators.run_folder import ESTIMATORS
    from graphvae.estimators.vgae import VGAE
    from graphvae.training.loop import resolve_device

    model = one_of(
        settings.label("model"),
        settings.values.get("model", "vgae"),
        [*(name.lower() for name in ESTIMATORS), *IMAGE_MODELS],
    )
    preset = settings.values.get("preset")
    if preset is not None and model != "vgae":
        raise InputError(f"{settings.label('preset')}={preset!r}: expected with --model vgae only")
    kinds = {name.lower(): cls for name, cls in ESTIMATORS.items()}
    if model in IMAGE_MODELS:
        # These load scikit-learn, which takes longer than many a graph.
        from graphvae.estimators.image_fitting import check_image_params
        from graphvae.estimators.image_run import IMAGE_ESTIMATORS

        kinds[model] = IMAGE_ESTIMATORS[IMAGE_MODELS[model]]
    estimator = VGAE.preset(preset) if preset is not None else kinds[model]()
    chosen = {name: value for name, value in settings.values.items() if name not in OF_RUNS}
    known = estimator.get_params(deep=False)
    for name in chosen:
        if name not in known:
            expected = ", ".join(known)
            raise InputError(f"{settings.label(name)}: {model} has no argument {name!r}; expected among {expected}")
    estimator.set_params(**chosen)
    if model in IMAGE_MODELS:
        check_image_params(estimator.get_params(deep=False), estimator.posterior_family)
    else:
        check_params(presumed(estimator.get_params()))
    resolve_device(estimator.device)
    return estimator


def _reader(settings: Settings, data: str) -> Callable[[], Any]:
    """What reads a data set by name, or a graph from an edge-list file."""
    from graphvae.data.graph import Graph
    from graphvae.data.registry import dataset_names, load_graph

    options = settings.among(*OF_FILES)
    if data in dataset_names():
        for name, value in options.items():
            shown = str(value) if isinstance(value, Path) else value
            raise InputError(f"{settings.label(name)}={shown!r}: {data} is a data set; expected with a file only")
        return partial(load_graph, data, features=not settings.values.get("no_features", False))
    if Path(data).is_file():
        if settings.values.get("no_features"):
            label = settings.label("no_features")
            raise InputError(f"{label}: expected with a data set; a file has the features --features names")
        types: dict[Any, type] = {"int": int, "str": str}
        if "id_dtype" in options:
            options["id_dtype"] = types[one_of(settings.label("id_dtype"), options["id_dtype"], types)]
        return partial(Graph.from_edges, data, **options)
    if Path(data).suffix or os.sep in data or (data and Path(data).exists()):
        known = ", ".join(dataset_names("graph"))
        raise InputError(f"{data!r} is no file: expected a path to an edge list, or one of {known}")
    return partial(load_graph, data)
