"""Towers, distances, heads, the Siamese model and its file format."""
