"""Embeddings to a file, and from there to a classifier of scikit-learn, beside the raw features.

python examples/export_to_a_classifier.py            # needs Cora, fetched if there is a network
python examples/export_to_a_classifier.py digits-knn --epochs 20
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

import graphvae as gv

parser = argparse.ArgumentParser()
parser.add_argument("dataset", nargs="?", default="cora")
parser.add_argument("--epochs", type=int, default=200)
arguments = parser.parse_args()

graph = gv.load_graph(arguments.dataset)
file = gv.VGAE(epochs=arguments.epochs).fit(graph).embed().save(Path(tempfile.mkdtemp()) / "nodes.parquet")

# From here on only the file is known, as to whoever gets it; ids say which row is whose.
embeddings = gv.Embeddings.load(file)
labels = dict(zip(graph.node_ids.tolist(), graph.y.tolist(), strict=True))
y = np.array([labels[name] for name in embeddings])
x = graph.x.to_dense() if graph.x.is_sparse_csr else graph.x
inputs = {"embeddings": embeddings.vectors, "raw features": scipy.sparse.csr_array(x.numpy())}
for name, values in inputs.items():
    scores = cross_val_score(LogisticRegression(max_iter=1000), values, y, cv=5)
    print(
        f"{name}: accuracy {100 * scores.mean():.1f} % (5 folds, {100 * scores.min():.1f} to {100 * scores.max():.1f})"
    )
