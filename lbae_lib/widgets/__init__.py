"""The latent space to play with, in JupyterLab: :func:`lbae_lib.widgets.explorer.open_explorer`."""
