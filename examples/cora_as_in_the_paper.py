"""The paper's experiment: train a VGAE on Cora with 85 % of the links, predict the rest.

python examples/cora_as_in_the_paper.py            # needs Cora, fetched if there is a network
python examples/cora_as_in_the_paper.py digits-knn --epochs 20
"""

import argparse

import graphvae as gv

parser = argparse.ArgumentParser()
parser.add_argument("dataset", nargs="?", default="cora")
parser.add_argument("--epochs", type=int, default=200)
arguments = parser.parse_args()

graph = gv.load_graph(arguments.dataset)
split = gv.split_links(graph, val=0.05, test=0.10, seed=0)
print(split.report())

model = gv.VGAE(latent_dim=16, hidden_dims=(32,), epochs=arguments.epochs, seed=0)
model.fit(split, progress=True)
print(model.evaluate(split))
