"""Trains with mean squared error and reports: `python main2.py`, or `python main2.py --help` for every flag.

Leaves the model, its record and its pictures in `runs/<dataset>/mse/`.
"""

from siamese_tf.cli import train_script

if __name__ == "__main__":
    train_script("mse")
