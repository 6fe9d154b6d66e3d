"""What slim CI came to, as it is kept between the step that judges and the steps that tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

FILE = "verdict.json"


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    title: str
    """The model that cannot be built, or the test by the name that people read."""
    place: str
    """The file in the repository, with the line where it is known."""
    said: str
    """What dbt, the database or the contract said."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What changed, what was built because of it, and what is wrong with it."""

    changed: list[str] = []
    built: list[str] = []
    skipped: list[str] = []
    """What was not built, because something before it is wrong."""
    tests: int = 0
    """How many tests and checks of contracts were evaluated."""
    errors: list[Problem] = []
    """What cannot be read, built or evaluated."""
    blocking: list[Problem] = []
    """Tests of severity error, and checks that hold a merchant back."""
    warnings: list[Problem] = []
    notes: list[str] = []

    @property
    def passes(self) -> bool:
        """Whether it may be merged as far as the models are concerned."""
        return not (self.errors or self.blocking)


def keep(verdict: Verdict, folder: Path) -> None:
    """Write it for another step."""
    (folder / FILE).write_bytes(msgspec.json.encode(verdict))


def kept(folder: Path) -> Verdict | None:
    """What was written; None when the step before came to no verdict."""
    file = folder / FILE
    return msgspec.json.decode(file.read_bytes(), type=Verdict) if file.exists() else None
