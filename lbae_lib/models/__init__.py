"""Networks, training, checkpoints and encoding."""
