"""Rows of a report, and what it says of itself, as records; or the reason why one cannot be."""

from __future__ import annotations

import re
from datetime import date, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from tributary.channels.ga4.reports import AMOUNTS
from tributary.channels.payloads import refusal
from tributary.channels.records import UnacceptableError, noon
from tributary.declaration import Page, Record, Reject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tributary.channels.ga4.reports import Report

ONE_DAY = timedelta(days=1)
_DATE = re.compile(r"[0-9]{8}")
_COUNT = re.compile(r"[0-9]{1,18}")
# With an exponent there is one digit before the point: no amount outgrows the marts' numeric(38, 2).
_AMOUNT = re.compile(r"-?([0-9]{1,18}(\.[0-9]{1,18})?|[0-9](\.[0-9]{1,18})?[eE](-[0-9]{1,2}|\+?1?[0-9]))")


class _Told(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    row_count: int
    metadata: dict[str, Any]


class Kept(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A payload: a row under the names of its fields, or what the report says of itself."""

    date: str
    row: dict[str, str] | None = None
    report: _Told | None = None


_KEPT = msgspec.json.Decoder(Kept)


def day(text: str) -> date:
    """A date as Google Analytics writes it; ValueError for anything else, such as `(other)`."""
    if not _DATE.fullmatch(text):
        raise ValueError(f"Expected a date as YYYYMMDD, got {text[:40]!r}")
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def row_payload(on: str, row: Mapping[str, str]) -> bytes:
    """What is kept of a row: its values as they were sent."""
    return msgspec.json.encode({"date": on, "row": row})


def report_payload(on: date, row_count: int, metadata: Mapping[str, Any]) -> bytes:
    """What is kept of what a report says of itself: without it, a day without rows would be an unread one."""
    return msgspec.json.encode({"date": f"{on:%Y%m%d}", "report": {"rowCount": row_count, "metadata": metadata}})


def taken(report: Report, payload: bytes) -> Record | Reject:
    """A payload as a record, or as the dead letter of one: rows of a page and replayed letters pass the same checks."""
    try:
        if reason := refusal(payload):
            raise UnacceptableError(reason)
        kept = _KEPT.decode(payload)
        record_id, at = _identity(report, kept), noon(day(kept.date))
        if kept.row is not None:
            _check(report, kept.row)
    except (msgspec.DecodeError, ValueError) as error:
        return Reject(_readable_identity(report, payload), str(error), payload)
    return Record(record_id, at, at, payload)


def replayed(report: Report, payload: bytes) -> Page:
    """A dead letter through the checks again."""
    found = taken(report, payload)
    return Page((), [found]) if isinstance(found, Reject) else Page([found])


def _identity(report: Report, kept: Kept) -> str:
    on = str(day(kept.date))
    if (kept.row is None) == (kept.report is None):
        raise UnacceptableError("Expected either a row or a report")
    if kept.row is None:
        return on
    if not report.dimensions:
        return f"{on}/total"
    missing = [name for name in report.dimensions if name not in kept.row]
    if missing:
        raise UnacceptableError(f"The row lacks the dimension {missing[0]!r}")
    # An array in JSON: no value, whatever stands in it, can pass for two.
    values = msgspec.json.encode([kept.row[name] for name in report.dimensions])
    return f"{on}/{blake2b(values, digest_size=16).hexdigest()}"


def _readable_identity(report: Report, payload: bytes) -> str | None:
    try:
        return _identity(report, _KEPT.decode(payload))
    except (msgspec.DecodeError, ValueError):
        return None


def _check(report: Report, row: Mapping[str, str]) -> None:
    for name in report.metrics:
        value = row.get(name)
        if value is None:
            raise UnacceptableError(f"The row lacks the metric {name!r}")
        form, kind = (_AMOUNT, "a number") if name in AMOUNTS else (_COUNT, "a whole number")
        if not form.fullmatch(value):
            raise UnacceptableError(f"Expected {kind}, got {value[:40]!r} - at `$.row.{name}`")
