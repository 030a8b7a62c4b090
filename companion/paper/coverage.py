"""Which page shows which part of the paper, and how faithfully, by ``coverage.yaml``."""

from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict


class Item(BaseModel):
    """A figure, table, equation or algorithm of the paper or its supplement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str  # as the paper numbers it
    shows: str  # what it is
    page: str  # a notebook, or a page of the book: "book/method"
    how: str  # "faithful", or how the page departs
    function: str = ""  # of ``lbae_lib``, relative to it; "" for none


@cache
def coverage() -> tuple[Item, ...]:
    """Every item, the paper's first."""
    text = resources.files("companion.paper").joinpath("coverage.yaml").read_text(encoding="utf-8")
    return tuple(Item(name=name, **entry) for name, entry in yaml.safe_load(text).items())
