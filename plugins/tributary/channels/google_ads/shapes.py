"""What has to hold of a row, in the JSON of Google's REST interface; everything else passes as it came."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(pattern=r"^[0-9]{1,19}$")]
Count = Annotated[str, Meta(pattern=r"^[0-9]{1,18}$")]
Micros = Annotated[str, Meta(pattern=r"^-?[0-9]{1,18}$")]
"""Below zero for a credit."""
Fraction = Annotated[float, Meta(gt=-1e15, lt=1e15)]


class _Identified(msgspec.Struct):
    id: Id


class _Named(_Identified):
    name: str


class _Segments(msgspec.Struct):
    date: date


class _Metrics(msgspec.Struct, rename="camel"):
    cost_micros: Micros
    impressions: Count
    clicks: Count
    conversions: Fraction
    conversions_value: Fraction


class Whose(msgspec.Struct):
    """Whose figures a row has."""

    run: _Identified = msgspec.field(name="campaign")
    segments: _Segments

    @property
    def on(self) -> date:
        """The day, by the account's clock."""
        return self.segments.date

    @property
    def campaign(self) -> str:
        """The campaign's id."""
        return self.run.id


class Row(Whose):
    """A campaign's day."""

    run: _Named = msgspec.field(name="campaign")
    metrics: _Metrics
