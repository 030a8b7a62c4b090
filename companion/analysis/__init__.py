"""Samplers, image sources and scores: the numbers behind the figures."""
