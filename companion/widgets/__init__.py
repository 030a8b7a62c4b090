"""The explorer for JupyterLab: :func:`companion.widgets.explorer.open_explorer`.

:func:`companion.widgets.live.live_panel` shows one of its panels on another page.
"""
