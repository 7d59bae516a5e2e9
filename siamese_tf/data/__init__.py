"""Images to pairs: sources, safe decoding, splits, pairs, pair files. No TensorFlow here."""
