"""The fields of an event that staging casts."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, field

from tributary.channels.klaviyo.records import Id, Time, instant
from tributary.declaration import Record


class _Properties(msgspec.Struct, gc=False):
    # The rest is the account's own, in any shape.
    value: float | None = field(name="$value", default=None)
    message: str | None = field(name="$message", default=None)
    flow: str | None = field(name="$flow", default=None)


class _Attributes(msgspec.Struct, gc=False):
    datetime: Time
    event_properties: _Properties | None = None


class _Item(msgspec.Struct, gc=False):
    id: Id


class _Related(msgspec.Struct, gc=False):
    data: _Item | None = None


class _Relationships(msgspec.Struct, gc=False):
    profile: _Related | None = None
    metric: _Related | None = None


class Event(msgspec.Struct, gc=False):
    """Something that was sent to a person, or that they did."""

    id: Id
    attributes: _Attributes
    relationships: _Relationships | None = None


class EventOfMetric(msgspec.Struct, gc=False):
    """An event with what it does not say itself: the name of its metric."""

    metric: Annotated[str, Meta(min_length=1)]
    event: Event

    def record(self, payload: bytes) -> Record:
        """The event as a record. It does not change, so its own time is the time of its last change as well."""
        happened_at = instant("event.attributes.datetime", self.event.attributes.datetime)
        return Record(self.event.id, happened_at, happened_at, payload)


class _Found(msgspec.Struct):
    id: str


class _Identified(msgspec.Struct):
    event: _Found


class _Relation(msgspec.Struct):
    data: _Found


class _Relations(msgspec.Struct):
    metric: _Relation


class _OfMetric(msgspec.Struct):
    relationships: _Relations


_IDENTIFIED = msgspec.json.Decoder(_Identified)
_OF_METRIC = msgspec.json.Decoder(_OfMetric)
EVENT = msgspec.json.Decoder(EventOfMetric)


def event_id(payload: bytes) -> str:
    """The id of an event in our wrapping, whatever else is wrong with it."""
    return _IDENTIFIED.decode(payload).event.id


def metric_id(event: bytes) -> str:
    """The metric that an event says it is of; empty when it does not say."""
    try:
        return _OF_METRIC.decode(event).relationships.metric.data.id
    except msgspec.DecodeError:
        return ""
