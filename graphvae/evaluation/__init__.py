"""Metrics, baselines, null models, calibration and reports; sees arrays only."""
