"""The evaluation pass: encode, score held-out pairs, AUC and AP."""

from __future__ import annotations

import torch

from graphvae.data.splits import LinkSet
from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.inputs import GraphInputs

__all__ = ["link_metrics"]

PAIRS_AT_ONCE = 1 << 18


@torch.no_grad()
def link_metrics(module: Autoencoder, inputs: GraphInputs, links: LinkSet) -> tuple[float, float]:
    """AUC and AP of held-out pairs at the posterior means of the message graph ``inputs``.

    Raises:
        InputError: if a class is empty or a logit is NaN.
    """
    from graphvae.evaluation.metrics import auc_and_ap

    # A posterior that is not relative to the prior has its mean without it.
    prior = module.prior(inputs) if module.prior.conditional else None
    likelihood = module.decode(module.encoder(inputs, prior).mean)
    pairs = torch.cat([links.positive, links.negative], 1).to(likelihood.z.device)
    logits = torch.cat([likelihood.logits(part) for part in pairs.split(PAIRS_AT_ONCE, 1)]).cpu().numpy()
    size = links.positive.shape[1]
    return auc_and_ap(logits[:size], logits[size:])
