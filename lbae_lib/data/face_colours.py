"""The colours of drawn faces."""

from numpy.random import Generator

Colour = tuple[int, int, int]


def _palette(text: str) -> tuple[Colour, ...]:
    """Colours from hexadecimal digits, e.g. "faebd7 000000"."""
    return tuple(tuple(bytes.fromhex(colour)) for colour in text.split())  # type: ignore[misc]


SKINS = _palette("fae2d0 f1c7aa e0ac88 be8460 8c5a3e 603e2e")  # from pale to dark
HAIRS = {  # the darkest and the lightest of each kind
    "Black_Hair": ((28, 24, 26), (48, 38, 36)),
    "Blond_Hair": ((214, 176, 104), (236, 206, 142)),
    "Gray_Hair": ((150, 150, 154), (204, 204, 206)),
    "brown": ((76, 48, 32), (132, 82, 50)),
    "red": ((140, 62, 34), (176, 88, 48)),
}
EYES = _palette("462e20 60442c 42688c 4c7454 687078")
CLOTHES = _palette("344e76 78343c 3c604e 54545c c4b498 6c5280")
BACKGROUNDS = _palette("7696ac a49684 80927c 5c6476 bab0a8 967670 465460")
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """``share`` of b, the rest of a."""
    red, green, blue = (round(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return red, green, blue


def pick(colours: tuple[Colour, ...], rng: Generator) -> Colour:
    """A colour between two of a palette."""
    first, second = rng.choice(len(colours), 2)
    return mix(colours[first], colours[second], 0.3 * rng.random())
