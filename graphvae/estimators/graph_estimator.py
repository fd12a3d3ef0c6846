"""The abstract estimator for graphs: everything a user holds but the constructor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from graphvae._check import InputError, integer
from graphvae.data.graph import Graph
from graphvae.data.node_splits import NodeSplit
from graphvae.data.splits import LinkSplit
from graphvae.estimators import likelihood, scoring
from graphvae.estimators.auto import settle, weights_sentence
from graphvae.estimators.fitting import Fitted, encode, fit_graph
from graphvae.estimators.held_out import HARD
from graphvae.estimators.link_probabilities import (
    link_threshold,
    recalibrate,
    top_reliability,
    validated_split,
    validation_pairs,
)
from graphvae.estimators.parameters import Parameters, to_json
from graphvae.estimators.predicting import calibration_pairs
from graphvae.export.embeddings import Embeddings
from graphvae.training.randomness import check_seed
from graphvae.variational.posteriors import PosteriorFamily

if TYPE_CHECKING:
    from graphvae.evaluation.generation import GenerationReport
    from graphvae.evaluation.link_calibration import LinkCalibration
    from graphvae.evaluation.reliability import Reliability
    from graphvae.evaluation.report import LinkReport
    from graphvae.export.recommendations import Recommendations

__all__ = ["GraphEstimator"]

E = TypeVar("E", bound="GraphEstimator")


class GraphEstimator(Parameters, ABC):
    """Fit, transform, evaluate, sample, save: for any model of the graph auto-encoder family.

    Concrete estimators define a constructor that stores its arguments, and nothing more. All that is learned is in one
    :class:`~graphvae.estimators.fitting.Fitted`, so an estimator is fitted or it is not.
    """

    _fitted: Fitted | None = None

    @property
    @abstractmethod
    def posterior_family(self) -> PosteriorFamily:
        """The family of posteriors that encoders end in."""

    def fit(self: E, data: Graph | LinkSplit, *, progress: bool = False, checkpoint: Any = None) -> E:
        """Train on the message graph of a split, or on all edges of a graph.

        Args:
            data: a :class:`~graphvae.LinkSplit` (trains on ``split.train``; its validation pairs calibrate, and select
                if ``patience`` is set), or a :class:`~graphvae.Graph`, after which nothing is held out.
            progress: show a progress bar on stderr.
            checkpoint: a file that training is saved to every minute, and goes on from if it is there, bit for bit; or
                a :class:`~graphvae.training.checkpoint.Checkpoint`. It stays when training is done.

        Raises:
            InputError: for arguments or a graph this model cannot use, by name, and for the checkpoint of another run.
            NonFiniteError: if a term of the loss is no longer finite.
        """
        label, params = type(self).__name__, self.get_params()
        settled, why = settle(params, self.changed(), data)
        given = {**params, **settled}
        fitted = fit_graph(label, given, self.posterior_family, data, progress=progress, checkpoint=checkpoint)
        fitted.params, fitted.settled = to_json(params), to_json(settled)
        fitted.why = " ".join(filter(None, [why, weights_sentence(fitted.module.structure)]))
        self._fitted = fitted
        return self

    @property
    def fitted(self) -> Fitted:
        """What ``fit`` or ``load`` left.

        Raises:
            InputError: before ``fit``.
        """
        if self._fitted is None:
            raise InputError(f"this {type(self).__name__} is not fitted: call fit(graph) or fit(split) first")
        return self._fitted

    @property
    def history(self) -> list[dict[str, float]]:
        """One record per epoch: ``loss``, ``reconstruction`` and ``kl`` in (weighted) nats, ``val_*`` if validated."""
        return self.fitted.history

    @property
    def calibration(self) -> LinkCalibration:
        """How logits become the probabilities of :meth:`predict_proba`, and from which pairs that was fitted."""
        return self.fitted.calibration

    def calibrate(self, method: str = "piecewise") -> LinkCalibration:
        """Fit anew, on the validation pairs, how logits become the probabilities of this model, and keep that.

        Args:
            method: ``"piecewise"``, a rising line that bends as far as the pairs can tell, as ``fit`` has it;
                ``"platt"``, a temperature and a bias; or ``"isotonic"``, any monotone function, for many validation
                pairs.

        Raises:
            InputError: for a model fitted without validation pairs, or an unknown method.
        """
        split = validated_split(self.fitted, "calibrate")
        pairs = calibration_pairs(split.train, split.val, self.get_params()["seed"])
        positive, negative = (scoring.pair_logits(self.fitted, part.numpy()) for part in pairs)
        return recalibrate(self.fitted, (positive, negative), method)

    def transform(self, graph: Graph) -> np.ndarray:
        """Posterior means of the nodes of ``graph``, ``(N, latent_dim)`` float32; row i is ``graph.node_ids[i]``.

        Raises:
            InputError: if the graph lacks the features (or, for a model without features, the nodes) of the fitted one.
        """
        return encode(self.fitted, graph)[0]

    def embed(self) -> Embeddings:
        """The fitted graph's node ids, posterior means and posterior standard deviations."""
        fitted = self.fitted
        return Embeddings(ids=fitted.node_ids, vectors=fitted.mean.copy(), scale=fitted.scale)

    def predict_proba(self, pairs: Any = None, *, edge_label_index: Any = None) -> np.ndarray:
        """Link probabilities ``(M,)`` of pairs of nodes of the fitted graph.

        Each is P(edge | a pair drawn from all pairs of a graph of this density); :attr:`calibration` says how.

        Args:
            pairs: ``(M, 2)`` pairs of node ids.
            edge_label_index: ``(2, M)`` rows instead; exactly one of the two is expected.

        Raises:
            InputError: for unknown ids, rows out of range, or a wrong shape.
        """
        if (pairs is None) == (edge_label_index is None):
            raise InputError("predict_proba: expected either pairs=(M, 2) node ids or edge_label_index=(2, M) rows")
        if pairs is not None:
            if not isinstance(pairs, Iterable):
                raise InputError(f"pairs={pairs!r}: expected (M, 2) node ids")
            pairs = pairs.to_numpy() if hasattr(pairs, "to_numpy") else pairs  # iterated, a data frame gives its header
            ids = pairs if isinstance(pairs, np.ndarray) else np.array(list(pairs), dtype=object)
            if ids.size == 0:
                return np.empty(0)
            if ids.ndim != 2 or ids.shape[1] != 2:
                raise InputError(f"pairs has shape {ids.shape}: expected (M, 2) node ids")
            rows = self.fitted.rows(ids).T
        else:
            try:
                rows = np.asarray(edge_label_index)
            except (TypeError, ValueError) as error:
                raise InputError(f"edge_label_index: expected integers (2, M) ({error})") from None
            if rows.size == 0:
                return np.empty(0)
            if rows.ndim != 2 or rows.shape[0] != 2 or rows.dtype.kind not in "iu":
                raise InputError(f"edge_label_index has shape {rows.shape}, {rows.dtype}: expected integers (2, M)")
            n = len(self.fitted.node_ids)
            if rows.min() < 0 or rows.max() >= n:
                raise InputError(f"edge_label_index contains {rows.min()} to {rows.max()}: expected rows 0 to {n - 1}")
            rows = rows.astype(np.int64)
        loops = rows[0] == rows[1]
        if loops.any():
            raise InputError(f"pair {int(loops.argmax())} joins a node to itself: expected two different nodes")
        return self.calibration.probabilities(scoring.pair_logits(self.fitted, rows))

    def recommend(
        self,
        ids: Any = None,
        k: int = 10,
        *,
        held_out: bool = False,
        announce: Callable[[float], None] | None = None,
    ) -> Recommendations:
        """The k likeliest unknown partners of each node, or, without ``ids``, the k likeliest unknown links of all.

        Exact: every pair is scored, in blocks. Never among the results are a node itself and the edges of the fitted
        data. Equal scores are ordered by the row of the partner, the lower one first.

        Args:
            ids: ``(M,)`` node ids of the fitted graph; None looks at all pairs.
            k: how many for each node, or in all; a node with fewer unknown partners gets them all.
            held_out: after ``fit(split)``, whether the edges held out for validation and test may appear. The model
                has not seen them, but whoever made the split has.
            announce: is told after the first few blocks, if there are more, how many seconds these take; it may raise.

        Raises:
            InputError: for unknown ids, or ``k`` below 1.
        """
        from graphvae.estimators.recommendation import recommend

        return recommend(self.fitted, ids, k, held_out=held_out, announce=announce)

    def evaluate(
        self,
        split: LinkSplit | NodeSplit | None = None,
        part: str = "test",
        *,
        ranking: bool | None = None,
        hard: int = HARD,
        bootstrap: int = 0,
    ) -> LinkReport:
        """Link prediction on a part of the fitted split, beside plain baselines and null models.

        Args:
            split: the split the model was fitted on (the default); any other is refused. Or a
                :class:`~graphvae.data.node_splits.NodeSplit` whose ``seen`` graph, or a split of its links, the model
                was fitted on: then its new nodes are embedded by their features, and their links are sought.
            part: ``"test"`` or ``"val"``.
            ranking: also rank each held-out edge against all nodes and against hard non-edges, filtered; None does so
                on small graphs, where baselines take seconds for it.
            hard: hard non-edges at each end of an edge; 0 for none.
            bootstrap: draws for 95 % intervals within this split; 0 for none.

        Raises:
            InputError: after ``fit(graph)``, for another split, or for an empty part.
        """
        return scoring.evaluate(self.fitted, split, part, ranking, hard, bootstrap)

    def reliability(
        self, split: LinkSplit | None = None, part: str = "test", *, pairs: int | None = None, bins: int = 10
    ) -> Reliability:
        """Predicted and observed shares of held-out edges among the likeliest of all pairs that are not yet known.

        Every pair but training edges (and edges of the other held-out part) is a candidate, so the observed share is
        that of a real recommendation list, and probabilities are shifted to the density of held-out edges among them.

        Args:
            split: the split the model was fitted on (the default); any other is refused.
            part: ``"test"`` or ``"val"``.
            pairs: likeliest pairs taken; twice the held-out edges by default.
            bins: of equal numbers of pairs.

        Raises:
            InputError: as :meth:`evaluate`.
        """
        return top_reliability(self.fitted, scoring.fitted_split(self.fitted, split), part, pairs, bins)

    def threshold(self, *, precision: float | None = None) -> dict[str, float]:
        """The probability from which on to call a pair an edge, chosen on validation pairs: best F1, or a precision.

        Args:
            precision: the least precision wanted over all pairs; None takes the best F1.

        Returns:
            ``threshold``, and ``precision``, ``recall`` and ``f1`` there, over all pairs of the fitted density.

        Raises:
            InputError: for a model fitted without validation pairs, or where no threshold has that precision.
        """
        positive, negative = (
            scoring.pair_logits(self.fitted, part) for part in validation_pairs(self.fitted, "threshold")
        )
        return link_threshold(self.fitted, (positive, negative), precision)

    def elbo(self, graph: Graph | None = None, *, samples: int = 8, seed: int = 0) -> float:
        """Evidence lower bound of the graph's edges in nats: the true one, whatever objective trained the model.

        Exact over all unordered pairs for each of ``samples`` draws of Z, in float64; the KL divergence is analytic
        where it has a closed form, and else taken at the draws.

        Args:
            graph: the graph; the fitted one by default.
            samples: number of draws.
            seed: of the draws.

        Raises:
            InputError: for a model with a point posterior, which has no bound.
        """
        return likelihood.elbo_terms(self.fitted, graph, samples, check_seed(seed))["elbo"]

    def log_marginal(
        self, graph: Graph | None = None, *, samples: int = 100, seed: int = 0
    ) -> likelihood.MarginalEstimate:
        """Importance-sampled lower bound on ``log p(A)`` in nats, with its standard error and effective sample size.

        Over a whole graph the log-weights differ by hundreds of nats, the effective sample size is near 1, and the
        estimate is little more than the best of its samples: a lower bound, and called one.

        Raises:
            InputError: for a model with a point posterior.
        """
        return likelihood.log_marginal(self.fitted, graph, samples, check_seed(seed))

    def sample(self, *, seed: int = 0, source: str = "prior", max_edges: int = 20_000_000) -> Graph:
        """Draw a graph on the fitted graph's nodes: Z from prior or posterior, then every pair, in blocks.

        Args:
            seed: of the draw.
            source: ``"prior"`` or ``"posterior"``.
            max_edges: refuse rather than draw a graph that is expected to have more edges than this.

        Raises:
            InputError: for ``source="prior"`` of a model without one (a point posterior), or too many expected edges.
        """
        seed, limit = check_seed(seed), integer("max_edges", max_edges, low=1)
        edges = likelihood.sample_edges(self.fitted, seed, source, limit)
        graph = self.fitted.graph_or_none()
        both = torch.cat([edges, edges.flip(0)], 1)
        x, y = (None, None) if graph is None else (graph.x, graph.y)
        return Graph(both, x=x, y=y, num_nodes=len(self.fitted.node_ids), node_ids=self.fitted.node_ids)

    def evaluate_samples(self, *, samples: int = 10, seed: int = 0, source: str = "prior") -> GenerationReport:
        """Compare sampled graphs with the fitted one: density, degrees, clustering, components."""
        return scoring.evaluate_samples(self, integer("samples", samples, low=1), check_seed(seed), source)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a run folder: config, weights, graph and split, history, embeddings. Nothing is pickled.

        Raises:
            InputError: if the folder exists, unless ``overwrite``.
        """
        from graphvae.estimators.run_folder import save_run

        return save_run(self, path, overwrite=overwrite)

    @property
    def is_variational(self) -> bool:
        """Whether the posterior is a distribution with a density, so that a bound exists."""
        return self.posterior_family.variational
