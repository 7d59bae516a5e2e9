"""Trains with contrastive loss and reports: `python main3.py`, or `python main3.py --help` for every flag.

Leaves the model, its record and its pictures in `runs/<dataset>/contrastive/`.
"""

from siamese_tf.cli import train_script

if __name__ == "__main__":
    train_script("contrastive")
