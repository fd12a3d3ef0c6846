"""Hard non-edges against a sort in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from graphvae._check import InputError
from graphvae.evaluation import hard_negatives
from graphvae.evaluation.hard_negatives import hard_partners
from graphvae.evaluation.score_rows import KnownPairs


def plain_ranks(scores: list[float]) -> list[int]:
    """1 for the highest; ties share the better rank; scores of 0 or less behind all others, together."""
    positive = [s for s in scores if s > 0]
    return [1 + sum(p > s for p in positive) if s > 0 else len(positive) + 1 for s in scores]


@pytest.mark.parametrize("budget", [1, 10_000])
def test_lowest_mean_ranks_first_and_no_known_partner(monkeypatch: pytest.MonkeyPatch, budget: int) -> None:
    monkeypatch.setattr(hard_negatives, "BLOCK_SCORES", budget)
    rng = np.random.default_rng(0)
    judges = [rng.integers(-1, 4, (20, 20)).astype(float) for _ in range(3)]
    known = KnownPairs.build(rng.integers(0, 20, (2, 25)), 20)
    rows = np.array([3, 0, 19, 7])
    found = hard_partners([lambda r, s=s: s[r] for s in judges], rows, known, 6)
    for u, chosen in zip(rows.tolist(), found.tolist(), strict=True):
        total = np.sum([plain_ranks(scores[u].tolist()) for scores in judges], axis=0)
        partners = known.columns[known.pointers[u] : known.pointers[u + 1]]
        left = [w for w in range(20) if w != u and w not in partners]
        assert set(chosen) <= set(left)
        assert [total[w] for w in chosen] == sorted(total[w] for w in left)[:6]


def test_ties_are_broken_the_same_each_time_and_not_by_number() -> None:
    known = KnownPairs.build([[0], [1]], 50)
    one, other = (hard_partners([lambda r: np.zeros((len(r), 50))], [0, 2], known, 10) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert sorted(one[0].tolist()) != list(range(2, 12))


def test_fewer_partners_than_asked_for_are_filled_up() -> None:
    found = hard_partners([lambda r: np.ones((len(r), 4))], [1], KnownPairs.build([[1], [2]], 4), 5)
    assert sorted(found[0].tolist()) == [-1, -1, -1, 0, 3]


def test_refusals() -> None:
    known = KnownPairs.build([[1], [2]], 4)
    with pytest.raises(InputError, match="judges is empty"):
        hard_partners([], [1], known)
    with pytest.raises(InputError, match="size=0"):
        hard_partners([lambda r: np.ones((len(r), 4))], [1], known, 0)
