"""Trains a model with mean squared error and reports its accuracy.

Usage: `python main2.py`; `python main2.py --help` lists the flags. Writes the model, its record and its plots to
`runs/<dataset>/mse/`.
"""

from siamese_tf.cli import train_script

if __name__ == "__main__":
    train_script("mse")
