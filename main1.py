"""Trains with binary cross-entropy and reports: `python main1.py`, or `python main1.py --help` for every flag.

Leaves the model, its record and its pictures in `runs/<dataset>/bce/`.
"""

from siamese_tf.cli import train_script

if __name__ == "__main__":
    train_script("bce")
