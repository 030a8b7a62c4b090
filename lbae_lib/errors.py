"""Errors that a user can cause and fix; the command line prints them without a traceback."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class LbaeError(Exception):
    """Base of the errors below: the message says what is wrong, where, and what to do."""


class ConfigError(LbaeError):
    """A profile, an option or a notebook parameter is unknown or out of bounds."""


class DataError(LbaeError):
    """Images or attributes are missing, damaged or of the wrong shape."""


class CheckpointError(LbaeError):
    """A checkpoint, model, latent file or record is missing, damaged or from a different run."""


class FormatError(LbaeError):
    """A compressed file is damaged, not in our format, too new, too large, or of another model."""


class WriteError(LbaeError):
    """A file cannot be written, or another run is using its folder; the old file is unchanged."""


def first_names(names: Sequence[str], most: int) -> str:
    """The first of some names, and "…" if there are more: "a, b, c, …"; on one line."""
    shown = ["".join(c if c.isprintable() else "�" for c in name) for name in names[:most]]
    return ", ".join([*shown, *["…"] * (len(names) > most)])


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not among the known ones; it suggests the nearest.

    Example:
        >>> unknown("profile", "quik", ["quick", "paper"])
        "no profile 'quik': did you mean 'quick'? There are quick, paper"
    """
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    begin = f"did you mean {close[0]!r}? There" if close else "there"
    return f"no {what} {name!r}: {begin} are {', '.join(names) or 'none'}"


@contextmanager
def extra(name: str, distribution: str, purpose: str) -> Iterator[None]:
    """A context for imports of a distribution that only an extra of this package installs.

    ``name`` is that of the extra in pyproject.toml, ``distribution`` the name on PyPI.

    Raises:
        LbaeError: if the distribution is missing; the message has the command that installs it.

    Example:
        >>> with extra("metrics", "scikit-learn", "Gaussian mixtures"):
        ...     import a_module_that_nobody_has
        Traceback (most recent call last):
        lbae_lib.errors.LbaeError: scikit-learn is needed for Gaussian mixtures: \
pip install "lbae-companion[metrics]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise LbaeError(
            f'{distribution} is needed for {purpose}: pip install "lbae-companion[{name}]"'
        ) from error
