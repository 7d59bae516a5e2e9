"""The commands of `siamese-tf`: they parse arguments and print results. `siamese_tf/cli.py` registers them."""
