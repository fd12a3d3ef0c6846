"""Settings of a training run: flags of ``graphvae train`` and keys of a ``--config`` file, by one schema.

The schema is the signature of the command: a key is the name of a flag, with ``_`` for ``-``, and holds what the flag
takes. What is a list or has settings of its own may also be written as TOML has it, in a flag as in a file:
``hidden_dims = [64, 32]``, ``decoder = { name = "mlp", width = 32 }``. ``"none"`` is Python's None.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from graphvae._check import InputError, resolve, suggest
from graphvae._files import reading
from graphvae.estimators.parameters import COMPONENTS

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

__all__ = ["Settings", "read_settings", "resumed_settings", "to_toml"]

# Arguments of the command that say nothing about the run.
MANNERS = {"config", "print_config", "checkpoint_every", "as_json", "quiet", "return"}
WORDS = {int: "an integer", float: "a number", str: "a text", Path: "a path", bool: "true or false"}
NULLABLE = ("prior", "structure", "patience", "binarize")


@dataclass(frozen=True)
class Settings:
    """What was asked for: flags, and what they leave open from the file.

    Attributes:
        values: by name; what neither says is not there.
        file: the ``--config`` file, or None.
        of_file: names whose values are the file's.
    """

    values: Mapping[str, Any]
    file: Path | None = None
    of_file: frozenset[str] = frozenset()

    def label(self, name: str) -> str:
        """What a message calls a setting: a key of the file, or a flag."""
        return f"{self.file}: {name}" if name in self.of_file else "--" + name.replace("_", "-")

    def among(self, *names: str) -> dict[str, Any]:
        """Those of ``names`` that were given."""
        return {name: self.values[name] for name in names if name in self.values}

    @contextmanager
    def told(self) -> Iterator[None]:
        """Whoever refuses a value in the block does not know where it came from: of a file's, this says it."""
        try:
            yield
        except InputError as error:
            name = re.match(r"\w+(?==)", str(error))
            if name is None or name[0] not in self.of_file:
                raise
            raise InputError(f"{self.file}: {error}") from None


def read_settings(command: Callable[..., None], given: Mapping[str, Any]) -> Settings:
    """The arguments ``given`` to ``command`` (None where left out), over those in the file ``given["config"]``.

    Raises:
        InputError: naming file, key, value and expectation; for a flag, the flag.
    """
    kinds = _kinds(command)
    flags = {name: value for name, value in given.items() if name in kinds and value is not None}
    file, found = given["config"], {}
    if file is not None:
        found = {name: value for name, value in _checked(file, _read(file), kinds).items() if name not in flags}
    return _settings({**found, **flags}, file, found)


def resumed_settings(command: Callable[..., None], stored: Mapping[str, Any], file: Path) -> Settings:
    """The settings that a run was started with, from its checkpoint ``file``.

    Raises:
        InputError: naming file, key, value and expectation.
    """
    with reading(file):
        found = _checked(file, tomllib.loads(to_toml(stored)), _kinds(command))
    return _settings(found, file, found)


def _settings(values: dict[str, Any], file: Path | None, found: Mapping[str, Any]) -> Settings:
    settings = Settings(values, file, frozenset(found))
    read = {name: _argument(settings.label(name), name, value) for name, value in values.items()}
    return Settings(read, file, frozenset(found))


def to_toml(values: Mapping[str, Any]) -> str:
    """A file that :func:`read_settings` reads ``values`` (JSON-able) from."""
    return "\n".join(f"{_key(name)} = {_toml(value)}" for name, value in values.items())


def _kinds(command: Callable[..., None]) -> dict[str, type]:
    """The schema: what kind of value each setting is."""
    hints = {name: hint for name, hint in get_type_hints(command).items() if name not in MANNERS}
    return {name: next((kind for kind in get_args(hint) if kind in WORDS), hint) for name, hint in hints.items()}


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise InputError(f"--config={str(file)!r}: no such file")
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--config={str(file)!r}: expected TOML ({error})") from None


def _checked(file: Path, found: dict[str, Any], kinds: Mapping[str, type]) -> dict[str, Any]:
    """What a file holds, each value of the kind that the schema has."""
    for name, value in found.items():
        if name not in kinds:
            hint = suggest(name, kinds)
            raise InputError(f"{file}: {name}={value!r}: no such setting; expected one of {', '.join(kinds)}{hint}")
        kind = kinds[name]
        sound = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        sound = sound or (kind is float and type(value) is int) or (kind is Path and isinstance(value, str))
        # Those that are read from the text of a flag may be written out in a file.
        sound = sound or (name in READERS and type(value) in (int, float, list, dict))
        if not sound:
            raise InputError(f"{file}: {name}={value!r}: expected {WORDS[kind]}")
    return {name: Path(value) if kinds[name] is Path else value for name, value in found.items()}


def _argument(label: str, name: str, value: Any) -> Any:
    """What the command makes of a value: texts that stand for more are read."""
    if name in NULLABLE and value == "none":
        return None
    return READERS[name](label, name, value) if name in READERS else value


def _widths(label: str, name: str, value: Any) -> tuple[int, ...]:
    if isinstance(value, (list, int)):
        return tuple(value) if isinstance(value, list) else (value,)
    if isinstance(value, str) and value.strip() in ("", "none"):
        return ()
    try:
        return tuple(int(part) for part in value.split(","))
    except (ValueError, AttributeError):
        raise InputError(f"{label}={value!r}: expected widths such as 32 or 64,32, or none") from None


def _rates(label: str, name: str, value: Any) -> float | tuple[float, ...]:
    if isinstance(value, (list, int, float)):
        return tuple(value) if isinstance(value, list) else value
    try:
        rates = tuple(float(part) for part in value.split(","))
    except (ValueError, AttributeError):
        raise InputError(f"{label}={value!r}: expected a number, or two such as 0.01,0.001") from None
    return rates[0] if len(rates) == 1 else rates


def _component(label: str, name: str, value: Any) -> Any:
    """A name as it is, and an object for a table of its name and settings."""
    table = _table(label, value)
    if name == "patience" and isinstance(table, str):
        try:
            return int(table)
        except ValueError:
            raise InputError(f"{label}={table!r}: expected a number of epochs, or none") from None
    if not isinstance(table, dict):
        return table
    settings = {key: None if item == "none" else item for key, item in table.items() if key != "name"}
    cls: Any = resolve(f"{label}: name", table.get("name"), COMPONENTS[name])
    try:
        return cls(**settings)
    except TypeError as error:
        raise InputError(f"{label}={table!r}: expected settings of {cls.__name__} ({error})") from None
    except InputError as error:
        raise InputError(f"{label}: {error}") from None


def _kinds_of_features(label: str, name: str, value: Any) -> dict[str, Any]:
    table = _table(label, value)
    if not isinstance(table, dict):
        raise InputError(f'{label}={table!r}: expected kinds by column, such as {{ age = "numeric", note = "text" }}')
    return table


def _table(label: str, value: Any) -> Any:
    """A flag's text, if it is a table, as a file would have it."""
    if not (isinstance(value, str) and value.lstrip().startswith("{")):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{label}={value!r}: expected a table as TOML has it ({error})") from None


READERS: dict[str, Callable[[str, str, Any], Any]] = {
    "hidden_dims": _widths,
    "learning_rate": _rates,
    "feature_kinds": _kinds_of_features,
    **dict.fromkeys(COMPONENTS, _component),
}


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # A text of JSON is one of TOML, but for a character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
