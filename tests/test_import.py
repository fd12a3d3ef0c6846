"""Importing the package is cheap: torch, and none of the libraries that only some calls need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import graphvae

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
PACKAGE = str(Path(graphvae.__file__).parents[1])


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after ``code``."""
    script = f"import sys, json; sys.path.insert(0, {PACKAGE!r})\n{code}\n"
    script += "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_importing_loads_torch_and_nothing_heavy_besides():
    modules = loaded_after("import graphvae")
    assert "torch" in modules
    assert not modules & HEAVY


def test_every_public_name_costs_no_heavy_import():
    """But for the estimators of images, which are scikit-learn's."""
    images = {"AE", "CVAE", "SemiSupervisedVAE", "VAE"}
    names = [name for name in graphvae.__all__ if name not in images]
    modules = loaded_after(f"import graphvae\nfor name in {names!r}: getattr(graphvae, name)")
    assert "graphvae" in modules
    assert not modules & HEAVY
    modules = loaded_after(f"import graphvae\nfor name in {sorted(images)!r}: getattr(graphvae, name)")
    assert "sklearn" in modules


def test_the_net_sees_a_heavy_import():
    assert "scipy" in loaded_after("import graphvae\ngraphvae.Graph([[0, 1], [1, 0]]).to_scipy()")


@pytest.mark.parametrize("name", graphvae.__all__)
def test_every_public_name_resolves_to_the_same_object_each_time(name):
    assert getattr(graphvae, name) is getattr(graphvae, name)
    assert getattr(graphvae, name).__doc__


def test_names_are_those_of_the_design():
    promised = {"GAE", "VGAE", "Embeddings", "Graph", "load", "load_graph", "split_links"}
    assert promised <= set(graphvae.__all__)
    assert callable(graphvae.nn.InnerProductDecoder)


def test_dir_lists_the_public_names():
    assert set(graphvae.__all__) <= set(dir(graphvae))
    assert dir(graphvae) == sorted(dir(graphvae))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'VGEA'"):
        graphvae.VGEA  # noqa: B018 - the access is what is tested
    with pytest.raises(ImportError):
        from graphvae import nothing_of_that_name  # noqa: F401


def test_the_type_checker_sees_the_names_that_users_see():
    """The lazy table and the ``TYPE_CHECKING`` block must not drift apart."""
    source = Path(graphvae.__file__).read_text(encoding="utf-8")
    block = source.split("if TYPE_CHECKING:")[1].split("__all__")[0]
    for name in graphvae.__all__:
        assert any(name in line.split("import")[-1] for line in block.splitlines()), name
