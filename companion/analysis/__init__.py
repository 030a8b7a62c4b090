"""Samplers, image sources, scores and studies: the numbers behind the figures."""
