"""Where speed lives: ``propagate``, the sums over pairs of nodes, and what Gaussians need of every number.

Behind each door stand a reference in torch's operators and faster ways to the same: blocks, C, Triton.
"""
