"""Data sets, splits and pairs. Does not import TensorFlow."""
