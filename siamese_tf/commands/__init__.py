"""The commands of `siamese-tf`: typed words to calls, results to lines. `siamese_tf/cli.py` gives them their names."""
