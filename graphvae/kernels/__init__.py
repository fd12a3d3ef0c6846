"""Where speed lives: products with sparse matrices, sums over pairs of nodes, what Gaussians need of every number.

Behind each door stand a reference in torch's operators and faster ways to the same: blocks, C, Triton.
"""
