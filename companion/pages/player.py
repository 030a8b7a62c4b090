"""Players: one image file of all frames, and a slider to step through them without a network."""

import base64
import html
import json
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from companion.figures.grids import tile
from companion.png import png_bytes

_WIDTH = 480  # of a frame, about; in CSS pixels
# The frames lie side by side. The slider moves the window over them and announces the label.
_ON_INPUT = (
    "var f=this.closest('figure'),w=f.querySelector('.lbae-window'),l=JSON.parse(f.dataset.labels);"
    "w.style.backgroundPositionX=100*this.value/Math.max(1,this.max)+'%';"
    "f.querySelector('output').textContent=l[this.value];"
    "this.setAttribute('aria-valuetext',l[this.value])"
)


def player_html(
    frames: Tensor, columns: int, labels: Sequence[str], caption: str, alt: str
) -> tuple[bytes, str]:
    """Frames uint8 (T, K, C, S, S) side by side as a PNG file, and a player of them as HTML."""
    if len(labels) != len(frames):
        raise ValueError(f"{len(labels)} labels for {len(frames)} frames")
    tiles = [tile(images, columns) for images in frames]
    height, width = tiles[0].shape[:2]
    scale = max(1, round(_WIDTH / width))
    png = png_bytes(np.concatenate(tiles, axis=1))
    source = base64.b64encode(png).decode()
    window = (
        f"width:{width * scale}px;max-width:100%;aspect-ratio:{width}/{height};"
        f"background:url(data:image/png;base64,{source}) 0 0/{100 * len(tiles)}% 100%;"
        "image-rendering:pixelated"
    )
    said = html.escape(json.dumps(list(labels)), quote=True)
    return png, (
        f'<figure class="lbae-figure lbae-player" data-labels="{said}" style="margin:1em 0">'
        f'<div class="lbae-window" role="img" aria-label="{html.escape(alt, quote=True)}" '
        f'style="{window}"></div>'
        f'<input type="range" min="0" max="{len(tiles) - 1}" value="0" aria-label="step" '
        f'aria-valuetext="{html.escape(labels[0], quote=True)}" oninput="{_ON_INPUT}" '
        f'style="width:{width * scale}px;max-width:100%"> '
        f"<output>{html.escape(labels[0])}</output>"
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
