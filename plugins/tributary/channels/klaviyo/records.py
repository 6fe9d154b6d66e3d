"""What Klaviyo's records are made of, and how its bytes become records: what does not fit would fail in staging."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from tributary.declaration import Page, Record, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from tributary.declaration import Reader

Id = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.:=+-]{1,128}$")]
Time = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:?[0-9]{2})$"
    ),
]
"""Text, because it has to be a time that PostgreSQL reads the same way."""
_BEGINNING = datetime(2010, 1, 1, tzinfo=UTC)
"""Before Klaviyo."""
_LONG = timedelta(days=7)


class Dated(msgspec.Struct, gc=False):
    """The attributes of an item that was made and changed; Klaviyo promises neither time, so one stands for both."""

    created: Time | None = None
    updated: Time | None = None

    def record(self, record_id: str, payload: bytes) -> Record:
        """The item as a record."""
        created, updated = self.created or self.updated, self.updated or self.created
        if created is None or updated is None:
            raise ValueError("Expected a time of creation or of change, got neither - at `$.attributes`")
        return Record(
            record_id, instant("attributes.created", created), instant("attributes.updated", updated), payload
        )


Attributes = TypeVar("Attributes", bound=Dated)


class Item(msgspec.Struct, Generic[Attributes], gc=False):
    """An item of one of Klaviyo's lists, with the attributes of its kind."""

    id: Id
    attributes: Attributes

    def record(self, payload: bytes) -> Record:
        """The item as a record."""
        return self.attributes.record(self.id, payload)


class _Identified(msgspec.Struct):
    id: str


_IDENTIFIED = msgspec.json.Decoder(_Identified)


def item_id(payload: bytes) -> str:
    """The id of a JSON:API item, whatever else is wrong with it."""
    return _IDENTIFIED.decode(payload).id


def instant(name: str, text: str) -> datetime:
    """The moment that Klaviyo's time names; outside this century it is a mistake that would stretch every calendar."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{error} - at `$.{name}`") from None
    if not 2000 <= found.year < 2100:
        raise ValueError(f"Expected a time from 2000 to 2099, got {text} - at `$.{name}`")
    return found


def only(pages: Iterable[Page], ids: Collection[str]) -> Iterator[Page]:
    """What the pages hold of these ids."""
    for page in pages:
        yield Page(
            [record for record in page.records if record.record_id in ids],
            [letter for letter in page.rejects if letter.record_id in ids],
        )


def that_happened(pages: Iterable[Page], start: datetime, end: datetime) -> Iterator[Page]:
    """What of the pages happened in [start, end), where the vendor has no filter for that."""
    for page in pages:
        yield Page([record for record in page.records if start <= record.event_at < end], page.rejects)


def and_gone(pages: Iterable[Page], ids: Collection[str]) -> Iterator[Page]:
    """The pages, and then which of the ids none of them brought: those are gone.

    An item whose id cannot be read may be any of them, so then none is.
    """
    found: set[str | None] = set()
    for page in pages:
        found |= {record.record_id for record in page.records} | {letter.record_id for letter in page.rejects}
        yield page
    if None not in found:
        yield Page((), gone=sorted(set(ids) - found))


def with_older(changed: Reader, step: timedelta) -> Callable[[Any, datetime, datetime], Iterator[Slice]]:
    """Cuts a sync's window into steps; before those of a long one comes everything that has not changed since.

    A first sync has such a window: what was last changed before the history begins still has its name to give.
    """

    def history(api: Any, start: datetime, end: datetime) -> Iterator[Slice]:
        if end - start > _LONG:
            yield Slice(_BEGINNING, start, changed)
        while start < end:
            yield Slice(start, min(start + step, end), changed)
            start += step

    return history
