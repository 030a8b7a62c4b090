"""The companion to the paper: what makes the book out of :mod:`lbae_lib`."""
