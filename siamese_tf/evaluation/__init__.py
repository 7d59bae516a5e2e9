"""Scores to numbers and pictures: metrics, intervals, calibration, reports, plots. NumPy and Matplotlib only."""
