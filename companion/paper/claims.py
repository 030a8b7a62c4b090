"""The claims of the paper, each declared once in ``claims.yaml``."""

from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict

from lbae_lib.errors import ConfigError, unknown


class Claim(BaseModel):
    """A claim."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str  # short name
    words: str  # the paper's words, or near them
    where: str  # section, figure or table
    page: str  # the notebook that decides it
    gates: tuple[str, ...] = ()  # conditions to decide it; see ``decisions.GATES``

    @property
    def sentence(self) -> str:
        """The words with the place in brackets."""
        return f"{self.words.rstrip('.')} ({self.where})."


@cache
def all_claims() -> dict[str, Claim]:
    """Every claim by its key, in the paper's order."""
    text = resources.files("companion.paper").joinpath("claims.yaml").read_text(encoding="utf-8")
    return {key: Claim(key=key, **entry) for key, entry in yaml.safe_load(text).items()}


def declared(key: str) -> Claim:
    """The claim of a key; ``ConfigError`` names the closest key if it is not declared."""
    if key not in all_claims():
        raise ConfigError(f"{unknown('claim', key, all_claims())}; see companion/paper/claims.yaml")
    return all_claims()[key]
