"""Models against data sets over random splits: every single run kept, resumed, in parallel processes on request."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from graphvae._check import InputError, integer, one_of
from graphvae.data.graph import Graph
from graphvae.data.registry import load_graph
from graphvae.data.splits import LinkSplit
from graphvae.estimators.auto import settle
from graphvae.estimators.benchmark_jobs import in_processes
from graphvae.estimators.benchmark_models import ALL_BASELINES, parse_dataset, parse_model
from graphvae.estimators.benchmark_result import BenchmarkResult
from graphvae.estimators.benchmark_runs import KINDS, Maker, Protocol, Run, code_state, runs_of_split
from graphvae.estimators.fitting import build_module, check_params
from graphvae.estimators.held_out import HARD, cost_of
from graphvae.estimators.predicting import check_unseen

__all__ = ["machine_description", "run_benchmark"]


def run_benchmark(
    datasets: Iterable[str],
    models: Iterable[str],
    *,
    runs: int = 10,
    val: float = 0.05,
    test: float = 0.10,
    kind: str = "random",
    ranking: bool | None = None,
    hard: int = HARD,
    jobs: int = 1,
    threads: int | None = None,
    store: str | Path | None = None,
    fresh: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> BenchmarkResult:
    """Fit every model on the same ``runs`` random splits of every data set; the test part is read once per run.

    Args:
        datasets: names, with ``:featureless`` where features are to be left out.
        models: as :func:`~graphvae.estimators.benchmark_models.parse_model` reads them, each one string: ``"vgae"``,
            ``"vgae:strong,posterior=flow"``, ``"gae"``, a baseline, or ``"heuristics"`` for all baselines.
        runs: number of splits; split and model of run r are seeded by r.
        val: share of edges for validation.
        test: share of edges for the test.
        kind: how links are held out, the ``protocol`` of :func:`~graphvae.split_links`; ``"temporal"`` apart.
        ranking: rank against all nodes and hard non-edges; None where that is cheap.
        hard: hard non-edges at each end of an edge; 0 for none.
        jobs: processes that share the splits. How many there are changes no figure.
        threads: of each process; as many as this one has by default. In the last digits figures depend on it.
        store: folder that keeps every finished run; what is there from the same data, split, model, settings and
            version is not run again, so that an interrupted benchmark goes on.
        fresh: run again, and replace, what is there.
        progress: is told of each finished run, and of those that were there.

    Raises:
        InputError: for unknown names, and models or shares that a data set does not allow; before anything is trained.
    """
    runs, jobs = integer("runs", runs, low=1), integer("jobs", jobs, low=1)
    threads = torch.get_num_threads() if threads is None else integer("threads", threads, low=1)
    hard = integer("hard", hard, low=0)
    protocol = Protocol(
        val, test, one_of("kind", kind, KINDS), ranking, hard, None if store is None else Path(store), fresh
    )
    if protocol.store is not None and protocol.store.exists() and not protocol.store.is_dir():
        raise InputError(f"store={str(store)!r} is a file: expected a folder")
    makers = {spec.strip(): parse_model(spec) for spec in models}
    graphs = {spec.strip(): _load(spec) for spec in datasets}
    chosen: dict[str, tuple[str, ...]] = {}
    for dataset, graph in graphs.items():
        split = protocol.split(graph, seed=0)
        chosen[dataset] = tuple(_expand(dataset, split, makers, progress))
        _check(dataset, split, {spec: makers.get(spec, spec) for spec in chosen[dataset]})
    tasks = [(dataset, seed) for dataset in graphs for seed in range(runs)]
    records: dict[tuple[str, int], list[dict[str, Any]]] = {task: [] for task in tasks}
    kept: list[dict[str, Any]] = []

    def done(run: Run) -> None:
        record = run.record
        records[record["dataset"], record["seed"]].append(record)
        if run.found:
            kept.append(record)
            return
        ranks = f" MRR {100 * record['mrr']:.1f}" if "mrr" in record else ""
        figures = f"AUC {100 * record['auc']:.1f} AP {100 * record['ap']:.1f}{ranks}"
        progress(f"{record['dataset']} {record['model']} {record['seed']}: {figures}")

    if jobs == 1 and threads == torch.get_num_threads():
        for dataset, seed in tasks:
            for run in _runs(graphs[dataset], dataset, seed, chosen[dataset], protocol):
                done(run)
    else:
        work = [(dataset, seed, chosen[dataset], protocol) for dataset, seed in tasks]
        for run in in_processes(_task, work, jobs=jobs, threads=threads):
            done(run)
    if kept:
        total = sum(map(len, records.values()))
        progress(f"{len(kept)} of {total} runs were found in {store} and not run again")
        older = sum(record["code"] != code_state() for record in kept)
        if older:
            progress(
                f"{older} of them were made by another state of this package's code; --fresh runs all of them anew"
            )
    machine = {**machine_description(), "threads": threads}
    return BenchmarkResult([record for task in tasks for record in records[task]], machine)


def machine_description() -> dict[str, Any]:
    """What a figure depends on and can be told without naming a machine."""
    return {
        "processor": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def _load(spec: str) -> Graph:
    name, features = parse_dataset(spec)
    return load_graph(name, features=features)


def _runs(graph: Graph, dataset: str, seed: int, models: tuple[str, ...], protocol: Protocol) -> Iterator[Run]:
    split = protocol.split(graph, seed=seed)
    return runs_of_split(dataset, split, seed, {spec: parse_model(spec) for spec in models}, protocol)


def _task(dataset: str, seed: int, models: tuple[str, ...], protocol: Protocol) -> Iterator[Run]:
    """All models on one split, in a process of its own."""
    return _runs(_load(dataset), dataset, seed, models, protocol)


def _expand(dataset: str, split: LinkSplit, makers: dict[str, Maker], progress: Callable[[str], None]) -> Iterator[str]:
    """The models of a data set, each once: ``"heuristics"`` becomes the baselines that it allows."""
    from graphvae.evaluation.heuristics import HEURISTICS

    for spec in makers:
        if spec != ALL_BASELINES:
            yield spec
    cost = cost_of(split.test, split.train)
    for name, heuristic in HEURISTICS.items() if ALL_BASELINES in makers else ():
        if name in makers or (heuristic.needs_features and split.train.x is None):
            continue
        if cost > heuristic.limit:
            progress(f"{dataset}: {heuristic.label} is left out, for it would take too long; named, it is run")
        else:
            yield name


def _check(dataset: str, split: LinkSplit, makers: dict[str, Maker]) -> None:
    """Refuse now what would end a benchmark later."""
    from graphvae.evaluation.heuristics import HEURISTICS

    graph = split.train
    if split.test.positive.shape[1] == 0:
        raise InputError(f"test=0: expected a share of the edges of {dataset} to test on")
    for spec, maker in makers.items():
        try:
            if isinstance(maker, str):
                if HEURISTICS[maker].needs_features and graph.x is None:
                    raise InputError("needs features, the graph has no features")
                continue
            model = maker(0)
            params = model.get_params()
            options = check_params({**params, **settle(params, model.changed(), split)[0]})
            sizes = split.seen.num_nodes, split.seen.num_features, split.seen.density
            check_unseen(build_module(options, model.posterior_family, *sizes), graph, split.seen)
            if options["patience"] is not None and split.val.positive.shape[1] == 0:
                raise InputError("val=0: its selection needs validation pairs")
        except InputError as error:
            raise InputError(f"model={spec!r} on {dataset}: {error}") from None
