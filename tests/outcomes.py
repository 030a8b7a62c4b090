"""What was tried and what happened: the table of the page on reliability."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from lbae_lib.errors import LbaeError

USER = "reported by users"
# What users of such software report, by kind.
KINDS = {
    "A": "names, paths and options on the command line",
    "B": "an output where the user has a file",
    "C": "folders of one name, renamed, copied, long",
    "D": "images and tables that changed after training",
    "E": "the environment of another program, machine or user",
    "F": "folders and pictures as other programs leave them",
    "G": "different causes of one failure",
    "H": "uninformative data",
    "I": "files that are closed to the user",
    "J": "names that are markup, or in other scripts",
    "K": "captions of more images than there are",
    "L": "arguments that a function cannot mean",
    "M": "tables as other programs write them",
    "X": "misuse of the explorer",
}


class Outcomes:
    """What was tried and what happened, a row each."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self._users: dict[str, Counter[str]] = {}

    def add(self, part: str, what: str, happened: Counter[str]) -> None:
        tries = sum(happened.values())
        self.rows.append(
            {"part": part, "what": what, "tries": tries, "happened": dict(happened.most_common())}
        )

    def tried(self, kind: str, happened: str) -> None:
        """Count one try of a kind; they become a row of each kind."""
        self._users.setdefault(kind, Counter())[happened] += 1

    def add_users(self) -> None:
        """Add a row for each kind that was tried."""
        for kind, happened in sorted(self._users.items()):
            self.add(USER, f"{kind}. {KINDS[kind]}", happened)


def judged(action: Callable[[], object]) -> str:
    """Whether the library refused, and said why. Any other exception fails the test."""
    try:
        action()
    except LbaeError as error:
        assert str(error)
        return "refused"
    return "accepted"
