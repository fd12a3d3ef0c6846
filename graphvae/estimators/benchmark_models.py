"""Models and data sets by a line of text: ``vgae:strong,posterior=hyperspherical,epochs=50``, ``cora:featureless``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from graphvae._check import InputError, one_of, resolve
from graphvae.estimators.parameters import from_json
from graphvae.estimators.run_folder import ESTIMATORS
from graphvae.estimators.vgae import PRESETS
from graphvae.training.objectives import OBJECTIVES, objective_named

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

__all__ = ["ALL_BASELINES", "parse_dataset", "parse_model", "split_specs"]

ALL_BASELINES = "heuristics"
"""The word for every baseline that a data set allows."""

OPENING, CLOSING = "([{", ")]}"


def split_specs(text: str) -> list[str]:
    """``"vgae:strong,epochs=50,gae"`` as ``["vgae:strong,epochs=50", "gae"]``.

    A part with ``=`` is a setting of the model before it; commas within brackets separate nothing.

    Raises:
        InputError: for settings before any model, or brackets that do not match.
    """
    specs: list[str] = []
    for part in _parts(text):
        if not re.match(r"\w+\s*=", part):
            specs.append(part)
        elif specs:
            specs[-1] += f",{part}"
        else:
            raise InputError(f"models={text!r}: expected a model before its setting {part!r}")
    return specs


def parse_dataset(spec: str) -> tuple[str, bool]:
    """``"cora"`` or ``"cora:featureless"`` as name and whether features are wanted.

    Raises:
        InputError: for any other suffix (unknown names are refused when the data are loaded).
    """
    name, _, view = spec.strip().partition(":")
    if view:
        one_of("dataset view", view, ["featureless"])
    return name, not view


def parse_model(spec: str) -> Callable[[int], Any] | str:
    """A maker of estimators by seed; a baseline's name (and ``"heuristics"``, all of them) stays a name.

    ``MODEL[:CHOICE][,NAME=VALUE...]``: the model is ``vgae`` or ``gae``; a choice for vgae is a preset, or an
    objective for the plain model, such as ``sampled`` or ``kipf:exact``; settings are arguments of the estimator, as
    those of ``graphvae train`` and its files: words, or what TOML has, such as ``hidden_dims=[64, 32]`` or a component
    with settings of its own, ``decoder={name = "mlp", width = 32}``; ``none`` is None.

    Raises:
        InputError: for an unknown model, choice or argument.
    """
    from graphvae.evaluation.heuristics import HEURISTICS

    head, *parts = _parts(spec)
    name, _, choice = head.partition(":")
    trained = {cls.lower(): cls for cls in ESTIMATORS}
    one_of("model", name, [*trained, ALL_BASELINES, *HEURISTICS])
    if (choice and name != "vgae") or (parts and name not in trained):
        what = "settings for a model that is trained" if parts else "a preset or an objective for vgae only"
        raise InputError(f"model={spec!r}: expected {what}")
    if name not in trained:
        return name
    settings = _settings(spec, parts)
    if choice.partition(":")[0] in OBJECTIVES and choice not in PRESETS:
        objective_named(choice)
        settings = {"objective": choice, **settings}
    elif choice:
        settings = {**resolve("preset", choice, PRESETS), **settings}
    estimator = ESTIMATORS[trained[name]]
    estimator().set_params(**settings)
    return lambda seed: estimator().set_params(**settings, seed=seed)


def _parts(text: str) -> list[str]:
    """What commas outside brackets separate."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in OPENING) - (sign in CLOSING)
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    if depth:
        raise InputError(f"models={text!r}: expected as many closing brackets as opening ones")
    return [part.strip() for part in parts]


def _settings(spec: str, parts: list[str]) -> dict[str, Any]:
    stored: dict[str, Any] = {}
    for part in parts:
        name, _, text = (word.strip() for word in part.partition("="))
        if name == "seed" or name in stored:
            reason = "the seed is that of the split" if name == "seed" else "expected each setting once"
            raise InputError(f"model={spec!r}: {name}={text}: {reason}")
        stored[name] = _value(text)
    try:
        return from_json(stored)
    except TypeError as error:  # a component without such a setting
        raise InputError(f"model={spec!r}: {error}") from None


def _value(text: str) -> Any:
    if text == "none":
        return None
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return {key: None if item == "none" else item for key, item in value.items()} if isinstance(value, dict) else value
