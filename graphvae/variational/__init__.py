"""The mathematics that graphs and images share: the bound, posteriors, distributions, likelihoods."""
