"""What is kept of a training run: when it is looked at, when it stops, and the mean of the best."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphvae._check import InputError
from graphvae.training.loop import train
from graphvae.training.selection import Selection


class Scalar(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(1.0))


def run(scores: list[float], selection: Selection, epochs: int, last: float = -1.0):
    """Train on a parabola; validation scores are given, and ``last`` is that of the mean."""
    module, weights, given = Scalar(), [], iter([*scores, last])

    def validate():
        weights.append(float(module.w.detach()))
        return {"score": next(given)}

    result = train(
        module,
        lambda epoch, batch: (module.w.square(), {}),
        epochs=epochs,
        learning_rate=0.1,
        seed=0,
        device=torch.device("cpu"),
        validate=validate,
        patience=selection,
    )
    return module, result, weights


def test_evaluations_come_every_so_many_epochs_and_at_the_end():
    _, result, _ = run([1, 2, 3], Selection(patience=9, every=3, average=1), epochs=8)
    looked_at = [record["epoch"] for record in result.history if "val_score" in record]
    assert looked_at == [3, 6, 8]
    assert result.best_epoch == 8


def test_patience_counts_evaluations():
    _, result, _ = run([5, 1, 1, 9], Selection(patience=2, every=3, average=1), epochs=30)
    assert (len(result.history), result.best_epoch) == (9, 3)


@pytest.mark.parametrize(("last", "averaged"), [(9.0, True), (5.0, True), (4.0, False)])
def test_the_mean_of_the_best_is_kept_where_it_is_no_worse(last, averaged):
    module, result, weights = run([3, 5, 1, 4, 2], Selection(patience=9, every=1, average=3), epochs=5, last=last)
    expected = torch.tensor([weights[1], weights[3], weights[0]]).mean() if averaged else torch.tensor(weights[1])
    torch.testing.assert_close(module.w.detach(), expected)
    assert result.best_epoch == 2
    assert not module.training


def test_what_patience_stands_for():
    assert Selection.of(None) is None
    assert Selection.of(3) == Selection(patience=3, every=1, average=1)
    assert Selection.of(Selection(2)) == Selection(2)
    with pytest.raises(InputError, match=r"patience='soon'.*or a Selection"):
        Selection.of("soon")


@pytest.mark.parametrize("name", ["patience", "every", "average", "seeds"])
def test_bad_settings_are_refused(name):
    with pytest.raises(InputError, match=f"{name}=0"):
        Selection(**{name: 0})
