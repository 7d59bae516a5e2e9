"""Trains a model with contrastive loss and reports its accuracy.

Usage: `python main3.py`; `python main3.py --help` lists the flags. Writes the model, its record and its plots to
`runs/<dataset>/contrastive/`.
"""

from siamese_tf.cli import train_script

if __name__ == "__main__":
    train_script("contrastive")
