"""``Selection``: which weights of a training run are kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from graphvae._check import InputError, integer

__all__ = ["Selection"]


@dataclass(frozen=True)
class Selection:
    """Keep what was best on validation, and stop when nothing better comes.

    Args:
        patience: evaluations without a better one after which training stops.
        every: epochs from one evaluation to the next.
        average: keep the mean of the weights of so many best evaluations, where that scores no worse on validation
            than the best alone.
        seeds: train so many times, each from a seed of its own, and average the logits of links; latent positions, the
            bound and samples are those of the first.
    """

    patience: int = 8
    every: int = 10
    average: int = 5
    seeds: int = 1

    def __post_init__(self) -> None:
        for name in ("patience", "every", "average", "seeds"):
            object.__setattr__(self, name, integer(name, getattr(self, name), low=1))

    def settings(self) -> dict[str, Any]:
        """The arguments this object can be built from again."""
        return asdict(self)

    @classmethod
    def of(cls, patience: Any) -> Selection | None:
        """What ``patience=`` stands for: an int evaluates every epoch and keeps the best one, None selects nothing.

        Raises:
            InputError: for anything else.
        """
        if patience is None or isinstance(patience, Selection):
            return patience
        try:
            return cls(integer("patience", patience, low=1), every=1, average=1)
        except InputError as error:
            raise InputError(f"{error}, or a Selection") from None
