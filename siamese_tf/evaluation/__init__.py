"""Turns the scores of pairs into metrics, intervals, thresholds, reports and plots."""
