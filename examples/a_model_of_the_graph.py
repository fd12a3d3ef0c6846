"""A generative model, not only a ranker of links: the true ELBO with a prior that knows the nodes' features.

python examples/a_model_of_the_graph.py            # needs Cora, fetched if there is a network
python examples/a_model_of_the_graph.py digits-knn --epochs 20
"""

import argparse

import graphvae as gv

parser = argparse.ArgumentParser()
parser.add_argument("dataset", nargs="?", default="cora")
parser.add_argument("--epochs", type=int, default=600)
arguments = parser.parse_args()

split = gv.split_links(gv.load_graph(arguments.dataset), val=0.05, test=0.10, seed=0)
for name in ("paper", "elbo", "generative"):
    model = gv.VGAE.preset(name, epochs=arguments.epochs, seed=0).fit(split)
    print(f"VGAE.preset({name!r})\n{model.evaluate(split)}\n")

# The last one draws graphs that look like the data; the first would call half of all pairs edges.
print(model.evaluate_samples(samples=3))
