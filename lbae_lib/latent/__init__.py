"""The mathematics of bits, moments and spheres; no networks, files or plots."""
