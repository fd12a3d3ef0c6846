"""An edge list of one's own: names in; named embeddings, link probabilities and recommendations out."""

import tempfile
from pathlib import Path

import graphvae as gv

folder = Path(tempfile.mkdtemp())
rows = ["ann,bob", "bob,cat", "cat,ann", "cat,dan", "dan,eve", "eve,fay", "fay,dan", "fay,gus", "gus,hal", "hal,eve"]
(folder / "friends.csv").write_text("\n".join(["src,dst", *rows]), encoding="utf-8")

graph = gv.Graph.from_edges(folder / "friends.csv", source="src", target="dst")
print(graph)

model = gv.VGAE(latent_dim=4, epochs=100).fit(graph)
pairs = [("ann", "dan"), ("ann", "hal")]
for (one, other), probability in zip(pairs, model.predict_proba(pairs), strict=True):
    print(f"P({one} knows {other}) = {probability:.3f}")

print(model.recommend(["ann", "gus"], k=2))  # who they do not know yet, the likeliest first
model.recommend(k=5).save(folder / "links.csv")  # the likeliest of all pairs

model.embed().save(folder / "friends.parquet")
print("ann is at", gv.Embeddings.load(folder / "friends.parquet")["ann"])
