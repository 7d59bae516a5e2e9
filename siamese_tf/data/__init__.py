"""Data sets, splits and pairs. Loads no TensorFlow."""
