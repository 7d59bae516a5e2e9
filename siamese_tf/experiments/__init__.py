"""Experiments with several runs: comparison of objectives, and cross-validation."""
