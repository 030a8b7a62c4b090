"""What every panel of the explorer has: controls, pictures, a line of text, undo and save.

A panel's widgets are its attributes, so that a program can do everything that a user does in
JupyterLab: ``panel.angle.value = 30`` redraws.
"""

from __future__ import annotations

import html
import io
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import traitlets
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from companion.project import RUNS, project_root
from companion.widgets.references import reference_line
from companion.widgets.space import Space
from lbae_lib.errors import LbaeError
from lbae_lib.files import replacing

_FOLDER = f"{RUNS}/explorer"  # of what is saved
_TEXT = " style='max-width:46em;line-height:1.5;margin:.5em 0'"
_ONE_DRAG = 1.0  # seconds; faster moves of one slider are undone together


class Panel:
    """Widgets, pictures, and a line of text that describes them.

    Args:
        controls: widgets whose values decide the pictures; undo sets them back.
        shown: everything above the text, controls included.
        pictures: what is saved, and has the text as its alternative text.
    """

    title = ""

    def __init__(
        self,
        space: Space,
        controls: Sequence[Any],
        shown: Sequence[Any],
        pictures: Sequence[Picture],
    ) -> None:
        self.space, self.controls, self.pictures = space, controls, pictures
        self.latents: Tensor  # of the picture, (K, N); every drawing sets it
        self.text, self.reference, self.saved = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.undo = button("undo", "undo the last change in this panel", self._undo)
        self.save = button("save", "save picture and bits in runs/explorer/", self._save)
        self._last: tuple[object, ...] = ()
        self._history: list[tuple[Any, ...]] = []
        self._changed_by: tuple[object, float] = (None, 0.0)
        self._restoring = False
        for control in controls:
            control.observe(lambda change: self._changed(change["owner"]), "value")
        tools = row([self.undo, self.save, self.saved])
        self.view = widgets.VBox([*shown, self.text, self.reference, tools])
        self.redraw()
        self._now = self.state()
        self.undo.disabled = True

    def draw(self) -> None:
        """Draw what the controls ask for, describe it, and set ``latents``."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw, or say below the picture why that cannot be done."""
        try:
            self.draw()
        except (LbaeError, ValueError) as error:
            self.describe("This picture is not up to date.", warning=str(error))

    def changed(self, *values: object) -> bool:
        """Whether these values differ from those of the last call."""
        last, self._last = self._last, values
        return values != last

    def describe(self, text: str, *references: str, warning: str = "") -> None:
        """Show text below the pictures, and references to the paper and the library by their keys.

        The keys are those of :data:`companion.widgets.references.REFERENCES`.
        """
        note = f" <b>{html.escape(warning)}</b>" if warning else ""
        self.text.value = f"<p role='status'{_TEXT}>{html.escape(text)}{note}</p>"
        self.reference.value = reference_line(references)
        for picture in self.pictures:
            picture.tooltip = text

    def state(self) -> tuple[Any, ...]:
        """What undo goes back to."""
        return tuple(control.value for control in self.controls)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to an earlier state, without drawing it."""
        for control, value in zip(self.controls, state, strict=True):
            control.value = value

    def remember(self, owner: object) -> None:
        """Let undo go back to before this change, made with a widget."""
        now, state = time.monotonic(), self.state()
        widget, last = self._changed_by
        dragged = isinstance(owner, widgets.IntSlider | widgets.FloatSlider)
        if not (dragged and owner is widget and now - last < _ONE_DRAG):
            self._history.append(self._now)
        self._now, self._changed_by = state, (owner, now)
        self.undo.disabled = False

    def _changed(self, owner: object) -> None:
        if not self._restoring:
            self.redraw()
            self.remember(owner)

    def _undo(self) -> None:
        if not self._history:
            return
        self._restoring = True
        try:
            self._now = self._history.pop()
            self.restore(self._now)
        finally:
            self._restoring = False
        self._changed_by = (None, 0.0)
        self.redraw()
        self.undo.disabled = not self._history

    def _save(self) -> None:
        pictures = [bytes(picture.value) for picture in self.pictures]
        try:
            files = save_shown(
                f"{self.space.name}-{self.title}", pictures, self.latents, self.text.value
            )
        except LbaeError as error:
            self.saved.value = f"<b role='alert'>{html.escape(str(error))}</b>"
        else:
            names = ", ".join(html.escape(file) for file in files)
            self.saved.value = f"<span role='status'>saved {names}</span>"


class Picture(widgets.Image):  # type: ignore[misc]  # ipywidgets has no types
    """A PNG file that keeps its aspect ratio; its tooltip is its name for screen readers."""

    description = traitlets.Unicode("").tag(sync=True)  # without one, a tooltip fails in JavaScript

    def __init__(self) -> None:
        layout = {"align_self": "flex-start", "max_width": "100%", "height": "auto"}
        super().__init__(format="png", layout=layout)


def choice(description: str, options: Mapping[str, str], tooltip: str = "") -> widgets.Dropdown:
    """A choice of keys by their labels."""
    pairs = [(label, key) for key, label in options.items()]
    return widgets.Dropdown(options=pairs, **_described(description, tooltip))


def whole(description: str, largest: int, value: int = 0, tooltip: str = "") -> widgets.IntSlider:
    """A slider from 0 to ``largest``."""
    return widgets.IntSlider(value=value, min=0, max=largest, **_described(description, tooltip))


def real(description: str, largest: float, step: float, value: float = 0.0, digits: int = 0,
         tooltip: str = "") -> widgets.FloatSlider:  # fmt: skip
    """A slider from 0 to ``largest``, shown with so many digits after the point."""
    return widgets.FloatSlider(
        value=value, min=0, max=largest, step=step, readout_format=f".{digits}f",
        **_described(description, tooltip),
    )  # fmt: skip


def button(description: str, tooltip: str, act: Callable[[], None]) -> widgets.Button:
    """A button that acts."""
    made = widgets.Button(description=description, tooltip=tooltip, layout={"width": "auto"})
    made.on_click(lambda _: act())
    return made


def row(parts: Sequence[Any]) -> widgets.Box:
    """Widgets side by side, or below each other where the window is narrow."""
    layout = {"flex_flow": "row wrap", "align_items": "flex-start", "grid_gap": "0.5em 1.5em"}
    return widgets.Box(list(parts), layout=layout)


def _described(description: str, tooltip: str) -> dict[str, Any]:
    return {
        "description": description,
        "tooltip": tooltip or description,
        "style": {"description_width": "8em"},
        "layout": {"width": "100%", "max_width": "32em"},
    }


def save_shown(name: str, pictures: Sequence[bytes], bits: Tensor, shown: str) -> tuple[str, str]:
    """Write pictures below each other and their bits, under a name that is not taken: both files.

    The text of ``shown``, HTML that describes the picture, is kept in the picture's "Description".
    """
    folder = project_root() / _FOLDER
    names = (f"{name.lower()}-{number:03}" for number in range(1, 10**6))
    free = next(found for found in names if not (folder / f"{found}.png").exists())
    about = PngInfo()
    about.add_itxt("Description", html.unescape(re.sub("<[^>]*>", "", shown)))
    with replacing(folder / f"{free}.npy") as scratch:
        np.save(scratch, bits.cpu().numpy().astype(np.int8))
    with replacing(folder / f"{free}.png") as scratch:
        _stacked(pictures).save(scratch, pnginfo=about)
    return f"{_FOLDER}/{free}.png", f"{_FOLDER}/{free}.npy"


def _stacked(pictures: Sequence[bytes]) -> Image.Image:
    """Pictures below each other, on white."""
    parts = [Image.open(io.BytesIO(content)) for content in pictures]
    size = max(part.width for part in parts), sum(part.height + 8 for part in parts) - 8
    canvas, top = Image.new("RGB", size, "white"), 0
    for part in parts:
        canvas.paste(part, (0, top))
        top += part.height + 8
    return canvas
