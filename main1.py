"""Trains a model with binary cross-entropy and reports its accuracy.

Usage: `python main1.py`; `python main1.py --help` lists the flags. Writes the model, its record and its plots to
`runs/<dataset>/bce/`.
"""

from siamese_tf.cli import train_script

if __name__ == "__main__":
    train_script("bce")
