"""A graph attention network of PyG as the encoder of a VGAE; everything else stays as it is.

python examples/custom_encoder.py            # needs Cora, fetched if there is a network
python examples/custom_encoder.py digits-knn --epochs 20
"""

import argparse

import torch
from torch_geometric.nn import GATConv

import graphvae as gv

parser = argparse.ArgumentParser()
parser.add_argument("dataset", nargs="?", default="cora")
parser.add_argument("--epochs", type=int, default=200)
arguments = parser.parse_args()


class Attention(torch.nn.Module):
    """Two layers of attention. What maps their output to means and scales is added by the VGAE."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.first = GATConv(num_features, 8, heads=4, dropout=0.5)
        self.second = GATConv(32, 32, dropout=0.5)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x, edge_index).relu(), edge_index).relu()


split = gv.split_links(gv.load_graph(arguments.dataset), val=0.05, test=0.10, seed=0)
torch.manual_seed(0)  # the module's first weights are yours; all that happens in fit follows from seed=
encoder = gv.nn.CustomEncoder(Attention(split.train.num_features))
models = {"GCN": gv.VGAE(epochs=arguments.epochs), "GAT": gv.VGAE(encoder=encoder, epochs=arguments.epochs)}
for name, model in models.items():
    report = model.fit(split).evaluate(ranking=False)
    print(f"{name}: AUC {100 * report.auc:.1f}, AP {100 * report.ap:.1f}")
