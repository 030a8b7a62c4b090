"""Latents as files: entropy coders, the ``.lbae`` container, and the priors that coding needs."""
