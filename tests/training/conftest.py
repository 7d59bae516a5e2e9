from run_fixtures import digit_pairs, quarters, run_of, toy_pairs
from trained_runs import config, whole

__all__ = ["config", "digit_pairs", "quarters", "run_of", "toy_pairs", "whole"]
