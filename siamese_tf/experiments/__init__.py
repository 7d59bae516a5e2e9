"""Experiments made of several runs: comparing objectives, and cross-validation."""
