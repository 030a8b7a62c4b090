"""Distances between sets of images, through features of a network."""
