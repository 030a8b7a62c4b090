"""A widget that picks an image: by number, class or thumbnail, or one's own file."""

import base64
import html
import itertools
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import torch
import traitlets
from torch import Tensor

from companion.widgets.panel import Picture, button, choice, row
from companion.widgets.pictures import png
from companion.widgets.space import Space
from lbae_lib.data.image_files import read_image
from lbae_lib.errors import DataError

_THUMBNAILS = 12  # at a time
_SIDE = 44  # of a thumbnail, in CSS pixels
_ALL = ""  # classes
_ids = itertools.count()


@dataclass(frozen=True, eq=False)
class OwnImage:
    """An uploaded image, uint8 (1, C, S, S), its latent (1, N), and what was done to it as text."""

    name: str
    applied: str
    image: Tensor
    bits: Tensor


def read_upload(upload: Mapping[str, Any], space: Space) -> OwnImage:
    """Convert an entry of ``ipywidgets.FileUpload`` as an image of a folder, and encode it.

    A file that is no image, or too small, raises ``DataError``.
    """
    name, applied = Path(upload["name"]).name, Counter[str]()
    size, channels = space.test_images.shape[-1], space.test_images.shape[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"image{Path(name).suffix}")
        file.write_bytes(upload["content"])
        try:
            image = read_image(file, size, channels, applied)[None]
        except DataError as error:
            raise DataError(str(error).replace(str(file), name)) from None
    return OwnImage(name, ", ".join(applied), image, space.encode(image))


class ImagePicker(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Picks an image; ``value`` is a test image's number, or an :class:`OwnImage`."""

    value = traitlets.Any(0)

    def __init__(self, space: Space, title: str, start: int = 0) -> None:
        self.space, self._page = space, 0
        self._matching = torch.arange(len(space.test))
        last = len(space.test) - 1
        self.number = widgets.BoundedIntText(
            value=start, min=0, max=last, description=title, tooltip=f"{title}: 0 to {last}",
            style={"description_width": "initial"}, layout={"width": "14em"},
        )  # fmt: skip
        names = () if space.test_attributes is None else space.test_attributes[0]
        self.klass = choice("show", {_ALL: "all test images"} | {name: name for name in names},
                            "thumbnails of one class or attribute")  # fmt: skip
        self.klass.layout.width, self.klass.style.description_width = "14em", "initial"
        self.klass.layout.display = "" if names else "none"
        self.upload = widgets.FileUpload(
            accept="image/*", description="own image", layout={"width": "auto"},
            tooltip="an image file of your own: resized, cropped to a square, and encoded",
        )  # fmt: skip
        self.thumbnails = [
            button("", "", partial(self._press, place)) for place in range(_THUMBNAILS)
        ]
        for made in self.thumbnails:
            made.layout = {"width": f"{_SIDE}px", "height": f"{_SIDE}px", "padding": "0"}
        self.more = button("more", "show other thumbnails", self._turn)
        self.preview, self.caption, self._style = Picture(), widgets.HTML(), widgets.HTML()
        self._class = f"lbae-thumbnails-{next(_ids)}"
        grid = widgets.Box(self.thumbnails, layout={"flex_flow": "row wrap", "max_width": "300px"})
        grid.add_class(self._class)
        controls = row([self.number, self.klass, self.more, self.upload])
        controls.layout.max_width = "32em"
        super().__init__(
            [self._style, controls, grid, row([self.preview, self.caption])], value=start
        )
        self.number.observe(lambda change: self.set_trait("value", change["new"]), "value")
        self.klass.observe(lambda _: self._filter(), "value")
        self.upload.observe(lambda change: self._read(change["new"]), "value")
        self.observe(lambda _: self._show(), "value")
        self._show()
        self._show_thumbnails()

    @property
    def image(self) -> Tensor:
        """The image picked, uint8 (1, C, S, S)."""
        own = isinstance(self.value, OwnImage)
        return self.value.image if own else self.space.test_images[self.value][None]

    @property
    def bits(self) -> Tensor:
        """Its latent, float32 (1, N)."""
        own = isinstance(self.value, OwnImage)
        return self.value.bits if own else self.space.test[self.value][None].clone()

    def _press(self, place: int) -> None:
        self.value = int(self._matching[self._page * _THUMBNAILS + place])

    def _turn(self) -> None:
        self._page = (self._page + 1) % max(1, -(-len(self._matching) // _THUMBNAILS))
        self._show_thumbnails()

    def _filter(self) -> None:
        """Show the images of a class, and pick the first."""
        chosen = torch.ones(len(self.space.test), dtype=torch.bool)
        if self.klass.value != _ALL and self.space.test_attributes is not None:
            names, has = self.space.test_attributes
            chosen = has[:, list(names).index(self.klass.value)]
        self._matching, self._page = chosen.nonzero()[:, 0], 0
        self._show_thumbnails()
        if self.klass.value != _ALL and len(self._matching):
            self.value = int(self._matching[0])

    def _read(self, uploads: tuple[dict[str, object], ...]) -> None:
        if not uploads:
            return
        try:
            self.value = read_upload(uploads[0], self.space)
        except DataError as error:
            self.caption.value = f"<b role='alert'>{html.escape(str(error))}</b>"
        self.upload.value = ()  # so that the same file can be given again

    def _show(self) -> None:
        """The image picked, and its name."""
        if isinstance(self.value, OwnImage):
            done = f", {self.value.applied}" if self.value.applied else ""
            name = f"own image {self.value.name}{done}"
        else:
            self.number.value = self.value
            name = self._name(self.value)
        self.preview.value = png(self.image, 1, max(1, self.space.scale // 3))
        self.preview.tooltip = name
        self.caption.value = html.escape(name)
        self._mark()

    def _name(self, index: int) -> str:
        labels = self.space.trained.images["test"].labels
        names = self.space.trained.dataset.class_names
        name = f"test image {index}"
        return name if labels is None or not names else f"{name}: {names[int(labels[index])]}"

    def _show_thumbnails(self) -> None:
        shown = self._shown()
        for place, made in enumerate(self.thumbnails):
            made.layout.display = "" if place < len(shown) else "none"
            made.tooltip = self._name(int(shown[place])) if place < len(shown) else ""
        content = png(self.space.test_images[shown], max(1, len(shown)), 1, gap=0)
        data = base64.b64encode(content).decode()
        places = "".join(
            f".{self._class} button:nth-child({k + 1}){{background-position:{-k * _SIDE}px 0}}"
            for k in range(len(shown))
        )
        self._style.value = (
            f"<style>.{self._class} button{{image-rendering:pixelated;"
            f"background-image:url(data:image/png;base64,{data});"
            f"background-size:{_SIDE * len(shown)}px {_SIDE}px}}"
            f".{self._class} .lbae-picked{{outline:3px solid #D55E00}}{places}</style>"
        )
        self._mark()

    def _mark(self) -> None:
        """Mark the thumbnail of the image picked."""
        shown = self._shown().tolist()
        for index, made in itertools.zip_longest(shown, self.thumbnails):
            picked = not isinstance(self.value, OwnImage) and index == self.value
            (made.add_class if picked else made.remove_class)("lbae-picked")

    def _shown(self) -> Tensor:
        start = self._page * _THUMBNAILS
        return self._matching[start : start + _THUMBNAILS]
