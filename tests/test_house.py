"""The house of the design: which room may import which, how large a module may be, and that each has its tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphvae

PACKAGE = Path(graphvae.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
NOUNS = [path for path in MODULES if path.name not in ("__init__.py", "__main__.py")]

# Room -> rooms it may import beside itself. Modules of the root that begin with "_" are open to all.
MAY_IMPORT: dict[str, set[str]] = {
    "cli": {"data", "estimators", "evaluation", "export", "nn", "plots", "training"},
    "estimators": {"data", "evaluation", "export", "kernels", "nn", "plots", "training", "variational"},
    "training": {"kernels", "nn", "variational"},
    "evaluation": set(),
    "export": set(),
    "plots": set(),
    "nn": {"kernels", "variational"},
    "variational": {"kernels"},
    "kernels": set(),
    "data": set(),
}
HEAVY = {
    "matplotlib",
    "networkx",
    "pandas",
    "polars",
    "pyarrow",
    "scipy",
    "sklearn",
    "torch_geometric",
    "torch_scatter",
    "triton",
}
# Modules that read pickles into objects, or write them.
PICKLERS = {"_pickle", "cloudpickle", "cPickle", "dill", "joblib", "marshal", "pickle", "shelve"}
LONGEST = 350


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


# Classes that are scikit-learn estimators inherit from it; the package loads them when they are first used.
SKLEARN_ESTIMATORS = {
    f"estimators/{name}.py"
    for name in ("autoencoders", "conditional", "image_estimator", "image_run", "latent_arithmetic", "semi_supervised")
}


def imports(tree: ast.AST) -> Iterator[str]:
    """Everything imported below ``tree``, wherever it stands; ``from a import b`` as ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
            "import_module",
            "__import__",
        ):
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def imports_at_load(tree: ast.AST) -> Iterator[str]:
    """What is imported when the module is: outside functions and ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from imports(ast.Module([node], []))
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and not is_type_checking(node):
            yield from imports_at_load(node)


def wrong_directions(room: str, source: str) -> list[str]:
    """Imports by which a module of ``room`` reaches where it must not."""
    wrong = []
    for name in imports(ast.parse(source)):
        parts = name.split(".")
        if name.startswith("."):
            wrong.append(name)
        elif parts[0] == "graphvae":
            target = parts[1] if len(parts) > 1 else ""
            allowed = target in MAY_IMPORT[room] | {room} or target.startswith("_")
            # The version alone may be asked of the root.
            if not allowed and (room, name) != ("cli", "graphvae"):
                wrong.append(name)
    return wrong


def heavy_at_load(source: str) -> set[str]:
    return {name.split(".")[0] for name in imports_at_load(ast.parse(source))} & HEAVY


def picklers(source: str) -> set[str]:
    return {name.split(".")[0] for name in imports(ast.parse(source))} & PICKLERS


def bears(path: Path) -> str:
    """The noun of a module: its name without leading underscores."""
    return path.stem.lstrip("_")


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent != PACKAGE], ids=name_of)
def test_imports_go_one_way(path):
    room = path.relative_to(PACKAGE).parts[0]
    assert wrong_directions(room, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", [p for p in NOUNS if p.parent == PACKAGE], ids=name_of)
def test_what_every_room_may_import_imports_no_room_itself(path):
    rooms = {name.split(".")[1] for name in imports(ast.parse(path.read_text(encoding="utf-8"))) if "graphvae." in name}
    assert all(room.startswith("_") for room in rooms)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_libraries_are_imported_where_they_are_used(path):
    inherited = {"sklearn"} if name_of(path) in SKLEARN_ESTIMATORS else set()
    assert heavy_at_load(path.read_text(encoding="utf-8")) <= inherited


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_here_can_unpickle(path):
    assert picklers(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", NOUNS, ids=name_of)
def test_every_module_has_a_test_file_that_bears_its_name(path):
    stems = [file.stem for file in TESTS.rglob("test_*.py")]
    assert any(f"_{bears(path)}_" in f"{stem}_" for stem in stems), f"no tests/**/test_*{bears(path)}*.py"


@pytest.mark.parametrize("path", NOUNS, ids=name_of)
def test_a_module_says_first_what_it_offers(path):
    """``__all__`` is the first statement after docstring and imports, and holds names that exist."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    body = [n for n in tree.body[1:] if not isinstance(n, (ast.Import, ast.ImportFrom, ast.If))]
    first = body[0]
    assert isinstance(first, ast.Assign)
    assert first.targets[0].id == "__all__"
    defined = {n.name for n in body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if hasattr(node, "target") else []
        defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    assert set(ast.literal_eval(first.value)) <= defined


def test_every_room_is_in_the_table():
    rooms = {p.relative_to(PACKAGE).parts[0] for p in MODULES if p.parent != PACKAGE}
    assert rooms == set(MAY_IMPORT)


def test_the_table_has_no_way_round():
    """From no room does a chain of imports lead back to it."""

    def reach(room: str) -> set[str]:
        found: set[str] = set()
        todo = [room]
        while todo:
            for other in MAY_IMPORT[todo.pop()] - found:
                found.add(other)
                todo.append(other)
        return found

    assert all(room not in reach(room) for room in MAY_IMPORT)


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("kernels", "from graphvae.nn.layers import GraphConvolution"),
        ("data", "from graphvae import nn"),
        ("evaluation", "import graphvae.data.graph"),
        ("evaluation", "def f():\n    from graphvae.estimators.vgae import VGAE"),
        ("plots", "if TYPE_CHECKING:\n    from graphvae.data.graph import Graph"),
        ("export", "from ..data import graph"),
        ("variational", "import importlib\nimportlib.import_module('graphvae.nn')"),
        ("training", "from graphvae.evaluation.metrics import roc_auc"),
    ],
)
def test_the_reader_sees_a_wrong_direction(room, line):
    assert wrong_directions(room, line)


def test_the_reader_lets_right_directions_pass():
    assert wrong_directions("nn", "import torch\nfrom graphvae._check import InputError") == []
    assert wrong_directions("nn", "from graphvae.kernels.pairs import softplus\nfrom graphvae.nn.layers import X") == []


def test_the_reader_sees_heavy_imports_and_where_they_are_allowed():
    assert heavy_at_load("import numpy\nimport scipy.sparse") == {"scipy"}
    assert heavy_at_load("try:\n    from torch_geometric.data import Data\nexcept ImportError: pass")
    assert heavy_at_load("class A:\n    import pandas") == {"pandas"}
    assert heavy_at_load("if TYPE_CHECKING:\n    import scipy\ndef f():\n    import sklearn") == set()


def test_the_reader_sees_picklers_and_not_the_disassembler():
    assert picklers("def f():\n    import pickle") == {"pickle"}
    assert picklers("from joblib import load") == {"joblib"}
    assert picklers("import pickletools") == set()
