"""What a check says."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "problem"]
"""ok: as it should be. note: worth knowing, Anabranch works. problem: something will fail, or does."""


@dataclass(frozen=True)
class Finding:
    """One line of the checklist.

    Attributes:
        name: of what was looked at.
        state: how it is.
        text: what was found.
        remedy: what to do about it, one sentence; empty where there is nothing to do.
    """

    name: str
    state: State
    text: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if (self.state == "ok") == bool(self.remedy):
            raise ValueError(f"{self.name}: a remedy goes with what is not ok, and only with that.")


def ok(name: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(name, "ok", text)


def note(name: str, text: str, remedy: str) -> Finding:
    """Worth knowing."""
    return Finding(name, "note", text, remedy)


def problem(name: str, text: str, remedy: str) -> Finding:
    """To be mended."""
    return Finding(name, "problem", text, remedy)
