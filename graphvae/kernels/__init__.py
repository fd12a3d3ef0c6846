"""Where speed lives, behind two doors: propagate() and pair_softplus_sum()."""
