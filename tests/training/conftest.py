from run_fixtures import digit_pairs, quarters, run_of, toy_pairs

__all__ = ["digit_pairs", "quarters", "run_of", "toy_pairs"]
