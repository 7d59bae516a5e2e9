"""Applies a trained model to files: scores, embeddings, and galleries of enrolled people."""
