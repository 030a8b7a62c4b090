"""The figure on the book's first page."""

from __future__ import annotations

from companion.site.results import ResultSet

_PAGE, _FILE = "03_sampling", "overview.png"


def overview_figure(sets: list[ResultSet]) -> str:
    """The method in one figure, from the first data set that has it, as Markdown; else ""."""
    for result in sets:
        page = result.page(_PAGE)
        if (result.file(_PAGE).with_suffix("") / _FILE).exists():
            return (
                f"```{{figure}} /{page}/{_FILE}\n"
                ":alt: Above: an image, its bits, its reconstruction. Below: a sphere cut by a "
                "plane, new bits, a new image.\n:width: 100%\n\n"
                "Above, an image is encoded as bits and decoded. Below, a random hyperplane "
                f"samples new bits, which are decoded. {result.label}, from "
                f"[this page](/{page}).\n```\n"
            )
    return ""
