"""Runs from other seeds beside a fitted model: their logits are averaged with its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from graphvae.nn.autoencoder import Autoencoder
from graphvae.training.randomness import derive_seed
from graphvae.training.selection import Selection

__all__ = ["AveragedPairs", "Member", "other_runs"]


def other_runs(params: Mapping[str, Any], selection: Selection | None, seed: int) -> list[dict[str, Any]]:
    """The arguments of the runs beside the first that ``Selection(seeds=...)`` asks for, each with its own seed."""
    if selection is None:
        return []
    alone = {"patience": replace(selection, seeds=1), **({"structure": None} if "structure" in params else {})}
    return [{**params, **alone, "seed": derive_seed(seed, "member", member)} for member in range(1, selection.seeds)]


class Member(nn.Module):
    """A fitted module and its posterior means of the fitted graph, stored as one.

    Args:
        module: encoder, prior and decoder.
        mean: ``(N, D)`` posterior means.
    """

    mean: Tensor

    def __init__(self, module: Autoencoder, mean: Tensor) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("mean", mean)

    def likelihood(self) -> Any:
        """The decoder's likelihood at the means."""
        return self.module.decode(self.mean)


class AveragedPairs:
    """Logits of pairs, the means of those of several likelihoods.

    Args:
        likelihoods: at least one; the first gives ``z``.
    """

    def __init__(self, likelihoods: list[Any]) -> None:
        self.likelihoods, self.z = likelihoods, likelihoods[0].z

    def logits(self, pairs: Tensor) -> Tensor:
        """``(P,)`` logits of pairs ``(2, P)``."""
        return torch.stack([each.logits(pairs) for each in self.likelihoods]).mean(0)

    def block_logits(self, rows: Tensor | slice, columns: Tensor | slice) -> Tensor:
        """``(R, C)`` logits of every pair of a row and a column."""
        return torch.stack([each.block_logits(rows, columns) for each in self.likelihoods]).mean(0)
