"""Every refusal names the argument, the value and what was expected."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from graphvae._check import InputError, integer, number, one_of, resolve, suggest


@pytest.mark.parametrize("value", [3, np.int32(3), np.int64(3), torch.tensor(3)])
def test_integer_takes_every_kind_of_integer(value):
    result = integer("k", value, low=3, high=3)
    assert type(result) is int
    assert result == 3


@pytest.mark.parametrize("value", [True, 1.0, "1", None, np.float64(1), np.array([1, 2]), torch.tensor(1.5)])
def test_integer_refuses_the_rest(value):
    with pytest.raises(InputError, match=r"k=.*: expected an integer, got "):
        integer("k", value)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"low": 5}, "k=4: expected a value at least 5"),
        ({"high": 3}, "k=4: expected a value at most 3"),
        ({"low": 0, "high": 3}, "k=4: expected a value between 0 and 3"),
    ],
)
def test_bounds_are_named(limits, message):
    for check in (integer, number):
        with pytest.raises(InputError) as error:
            check("k", 4, **limits)
        assert str(error.value).replace("4.0", "4") == message


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int8(2), torch.tensor(2.0)])
def test_number_takes_every_kind_of_number(value):
    result = number("rate", value, low=2, high=2)
    assert type(result) is float
    assert result == 2


@pytest.mark.parametrize("value", [True, "2", b"2", None, 1j, np.ones(2), torch.ones(2), 10**400])
def test_number_refuses_the_rest(value):
    with pytest.raises(InputError, match=r"(?s)rate=.*: expected a number, got "):
        number("rate", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_number_refuses_what_is_not_finite(value):
    with pytest.raises(InputError, match="expected a finite number"):
        number("rate", value)


def test_number_can_leave_its_lower_end_out():
    assert number("rate", 1e-300, low=0, open_low=True) == 1e-300
    for value in (0, -1):
        with pytest.raises(InputError, match="expected a number greater than 0"):
            number("rate", value, low=0, open_low=True)


def test_names_are_resolved_or_suggested():
    registry = {"gaussian": 1, "point": 2}
    assert resolve("posterior", "point", registry) == 2
    assert one_of("posterior", "point", iter(registry)) == "point"
    with pytest.raises(InputError, match=r"posterior='gausian': expected one of 'gaussian', 'point' \(did you mean 'g"):
        resolve("posterior", "gausian", registry)
    for value in (None, 3, ["point"]):
        with pytest.raises(InputError, match="expected one of"):
            one_of("posterior", value, registry)
    assert suggest("zzz", registry) == ""
