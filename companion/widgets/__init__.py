"""The explorer for JupyterLab: :func:`companion.widgets.explorer.open_explorer`."""
