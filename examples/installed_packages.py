"""Which module imports which, in the Python packages installed here: a graph with text that every machine has.

Nodes are modules, edges are imports, features are docstrings (tf-idf), lines of code (scaled) and packages (one-hot).

python examples/installed_packages.py
python examples/installed_packages.py networkx sklearn torch --epochs 400
"""

import argparse
import ast
import importlib.util
from pathlib import Path

import pyarrow as pa

import graphvae as gv

parser = argparse.ArgumentParser()
parser.add_argument("packages", nargs="*", default=["networkx", "sklearn", "rich", "narwhals"])
parser.add_argument("--epochs", type=int, default=200)
arguments = parser.parse_args()

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
trees, package_of = {}, {}
for package in arguments.packages:
    root = Path(importlib.util.find_spec(package).submodule_search_locations[0])
    for file in sorted(root.rglob("*.py")):
        module = ".".join([package, *file.relative_to(root).with_suffix("").parts]).removesuffix(".__init__")
        trees[module] = ast.parse(file.read_bytes())
        package_of[module] = module if file.name == "__init__.py" else module.rpartition(".")[0]


def imported(module: str) -> set[str]:
    """The modules that one imports; of ``from a import b`` it is ``a.b`` if that is a module, else ``a``."""
    found = set()
    for node in ast.walk(trees[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # One dot is the package of the module, each further one the package above.
            above = package_of[module].split(".")[: 1 - node.level or None] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            found |= {name if (name := f"{start}.{alias.name}") in trees else start for alias in node.names}
    return found & set(trees) - {module}


pairs = [(module, other) for module in trees for other in sorted(imported(module))]
linked = sorted({module for pair in pairs for module in pair})
edges = pa.table({"module": [a for a, _ in pairs], "imports": [b for _, b in pairs]})
texts = {
    module: [ast.get_docstring(node) or "" for node in ast.walk(trees[module]) if isinstance(node, DOCUMENTED)]
    for module in linked
}
features = pa.table(
    {
        "module": linked,
        "docstrings": ["\n".join(texts[module]) or None for module in linked],
        "statements": [sum(isinstance(node, ast.stmt) for node in ast.walk(trees[module])) for module in linked],
        "package": [module.split(".")[0] for module in linked],
    }
)

graph = gv.Graph.from_edges(edges, source="module", target="imports", features=features)
print(graph)
split = gv.split_links(graph, val=0.05, test=0.10, seed=0)
model = gv.VGAE.preset("strong", epochs=arguments.epochs).fit(split, progress=True)
print(model.evaluate(ranking=False))
print(f"\nWhat {linked[0]} and {linked[-1]} might import, or be imported by:")
print(model.recommend([linked[0], linked[-1]], k=5))
