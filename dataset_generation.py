"""Writes the pair files of a data set.

Usage: `python dataset_generation.py`; `python dataset_generation.py --help` lists the flags. Writes
`dataset/<name>/train_pairs.npz` (training and validation pairs) and `dataset/<name>/test_pairs.npz`.
"""

from siamese_tf.cli import generate_script

if __name__ == "__main__":
    generate_script()
