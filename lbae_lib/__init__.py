"""A small library for the Latent Bernoulli Autoencoder (Fajtl et al., ICML 2020)."""

__version__ = "1.0.0"
