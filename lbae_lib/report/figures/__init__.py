"""Figures: each function takes tensors and numbers and returns a matplotlib ``Figure``."""
