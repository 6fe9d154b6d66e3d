"""Turns a vendor's bytes into records, or says why they cannot be any."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import msgspec

from tributary.channels.payloads import neutralised, refusal
from tributary.declaration import Page, Record, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class UnacceptableError(ValueError):
    """The record cannot land; the message is the dead letter's reason."""


class Root(Protocol):
    """The shape of a record that stands for itself."""

    def record(self, payload: bytes) -> Record:
        """The record; ValueError when something in it cannot be."""


R = TypeVar("R", bound=Root)


def decoded(decoder: msgspec.json.Decoder[R], payload: bytes, sound: bool) -> tuple[R, Record]:
    """A payload in its shape, and as a record.

    `sound` spares looking for what jsonb refuses in bytes that were looked through before.
    """
    if not sound and (reason := refusal(payload)):
        raise UnacceptableError(reason)
    try:
        root = decoder.decode(payload)
        return root, root.record(payload)
    except (msgspec.DecodeError, ValueError) as error:
        raise UnacceptableError(str(error)) from None


def reject(payload: bytes, reason: str, find_id: Callable[[bytes], str]) -> Reject:
    """The dead letter of a record, under its id when `find_id` can read that much of it."""
    try:
        record_id = find_id(neutralised(payload))
    except (msgspec.DecodeError, ValueError):
        record_id = None
    return Reject(record_id, reason, payload)


class Rows(NamedTuple):
    """The rows of one page, as the vendor's bytes."""

    payloads: Sequence[bytes]
    sound: bool
    """Whether they were looked through for what jsonb refuses, and hold none of it."""


@dataclass(frozen=True)
class Kind:
    """What a row becomes: a record of this shape, or a reject under the id that can still be found in it."""

    shape: msgspec.json.Decoder[Any]
    find_id: Callable[[bytes], str]

    def page(self, rows: Rows, gone: Sequence[str] = ()) -> Page:
        """The rows as records, the unacceptable ones as rejects."""
        records, rejects = [], []
        for payload in rows.payloads:
            try:
                records.append(decoded(self.shape, payload, rows.sound)[1])
            except UnacceptableError as error:
                rejects.append(reject(payload, str(error), self.find_id))
        return Page(records, rejects, gone=gone)

    def replayed(self, api: Any, payload: bytes) -> Page:
        """A dead letter's bytes as a page of one record, or of one reject."""
        return self.page(Rows([payload], sound=False))


def noon(on: date) -> datetime:
    """Where a date without a time stands: noon UTC is the same date from UTC-12 to UTC+11."""
    return datetime.combine(on, time(12), UTC)


def first_noon(moment: datetime) -> date:
    """The first date whose noon is not before this moment."""
    on = moment.astimezone(UTC).date()
    return on if noon(on) >= moment else on + timedelta(days=1)


def chunks(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The ids, so many at a time."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
