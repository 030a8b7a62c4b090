"""User text in figures: names of classes, attributes and data sets are drawn as they are written.

matplotlib takes text between dollar signs for mathematics, and draws a box for a letter that its
own font lacks.
"""

import re
import unicodedata
from functools import cache, lru_cache
from textwrap import TextWrapper

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

FAMILY = "DejaVu Sans"  # of all figures; it comes with matplotlib
_LAST_RESORT = "Last Resort"  # a font of boxes for all letters


class _Names(TextWrapper):
    """Breaks lines after underscores too, and inside a word only if it is longer than a line."""

    def _split(self, text: str) -> list[str]:
        return [part for chunk in super()._split(text) for part in re.findall("[^_]+_*|_+", chunk)]


def literal(text: str, width: int, lines: int = 3) -> str:
    """A user's name for matplotlib: no mathematics, no control characters, cut after some lines."""
    plain = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    wrapped = _Names(width, max_lines=lines, placeholder=" …").wrap(plain)
    return "\n".join(wrapped).replace("$", r"\$")


def use_letters(figure: Figure) -> Figure:
    """Let each text use installed fonts for the letters that the figures' own font lacks."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if lacks := _lacking(text.get_text()):
            text.set_fontfamily([FAMILY, *_families(lacks)[0]])
    return figure


def missing_letters(figure: Figure) -> str:
    """A sentence on the letters of a figure that no installed font has; "" if there are none."""
    texts = (text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))
    missing = _families(frozenset().union(*map(_lacking, texts)))[1]
    if not missing:
        return ""
    return f"Letters drawn as boxes, as no installed font has them: {' '.join(sorted(missing))}."


def _lacking(text: str) -> frozenset[str]:
    """The letters that the figures' own font lacks."""
    if text.isascii():
        return frozenset()
    own = _letters(findfont(FontProperties(family=FAMILY)))
    return frozenset(c for c in text if c not in own and c.isprintable())


@lru_cache
def _families(lacks: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Installed families that have letters, the most useful first, and letters that none has."""
    chosen: list[str] = []
    names = sorted({font.name for font in fontManager.ttflist}) if lacks else []
    # The upright face of a family: others may lack letters that it has, and it those of others.
    fonts = {
        name: findfont(FontProperties(family=name))
        for name in names
        if not name.startswith(_LAST_RESORT)
    }
    while lacks:
        best = max(fonts, key=lambda name: len(lacks & _letters(fonts[name])))
        if not (found := lacks & _letters(fonts[best])):
            break
        chosen.append(best)
        lacks -= found
    return tuple(chosen), lacks


@cache
def _letters(path: str) -> frozenset[str]:
    """The letters of a font file; none of a file that cannot be read."""
    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()
