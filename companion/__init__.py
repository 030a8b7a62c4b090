"""The companion to the paper: what makes the book from :mod:`lbae_lib`."""
