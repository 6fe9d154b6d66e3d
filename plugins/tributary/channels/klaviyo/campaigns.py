"""Campaigns: what is sent once, to many, in each of Klaviyo's channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from tributary.channels.klaviyo.reading import all_of, any_id, window
from tributary.channels.klaviyo.records import Id, Time, and_gone, instant, item_id, that_happened
from tributary.channels.records import Kind, Rows, chunks
from tributary.declaration import Page, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tributary.channels.klaviyo.api import KlaviyoApi

BUDGET = "campaigns"
CHANNELS = ("email", "sms", "mobile_push")
"""A list is of one channel; without naming it there is none."""
PAGE_SIZE = 100


class _Attributes(msgspec.Struct, gc=False):
    created_at: Time
    updated_at: Time
    name: str | None = None
    status: str | None = None
    archived: bool | None = None
    scheduled_at: Time | None = None
    send_time: Time | None = None


class Campaign(msgspec.Struct, gc=False):
    """A campaign; it has a send time once it was sent."""

    id: Id
    attributes: _Attributes

    def happened_at(self) -> datetime:
        """When it was sent, or will be, or was begun: the first that Klaviyo names."""
        texts = {name: getattr(self.attributes, name) for name in ("send_time", "scheduled_at", "created_at")}
        # All are read, not only the first: staging casts each of them.
        [first, *_] = [instant(f"campaign.attributes.{name}", text) for name, text in texts.items() if text]
        return first


class _CampaignOfChannel(msgspec.Struct, gc=False):
    """A campaign with what it does not say itself: its channel."""

    channel: Literal["email", "sms", "mobile_push"]
    campaign: Campaign

    def record(self, payload: bytes) -> Record:
        """The campaign as a record."""
        updated_at = instant("campaign.attributes.updated_at", self.campaign.attributes.updated_at)
        return Record(self.campaign.id, self.campaign.happened_at(), updated_at, payload)


class _Named(msgspec.Struct):
    campaign: msgspec.Raw


_NAMED = msgspec.json.Decoder(_Named)

CAMPAIGNS = Kind(
    msgspec.json.Decoder(_CampaignOfChannel), lambda payload: item_id(bytes(_NAMED.decode(payload).campaign))
)


def changed_campaigns(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Campaigns that changed in [start, end)."""
    return _read(api, *window("updated_at", start, end))


def campaigns_that_happened(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Campaigns of [start, end); Klaviyo has no filter for the send time, so all are read."""
    return that_happened(_read(api), start, end)


def campaigns_by_id(api: KlaviyoApi, ids: Sequence[str]) -> Iterator[Page]:
    """These campaigns as they are now."""
    for some in chunks(ids, PAGE_SIZE):
        yield from and_gone(_read(api, any_id(some)), some)


def _read(api: KlaviyoApi, *conditions: str) -> Iterator[Page]:
    for channel in CHANNELS:
        prefix = f'{{"channel":"{channel}","campaign":'.encode()
        # Without the filter Klaviyo leaves the archived ones out.
        for archived in ("false", "true"):
            wanted = all_of(f"equals(messages.channel,'{channel}')", f"equals(archived,{archived})", *conditions)
            query = {"filter": wanted, "sort": "id", "page[size]": str(PAGE_SIZE)}
            for rows in api.pages("/api/campaigns", query, budget=BUDGET):
                yield CAMPAIGNS.page(Rows([prefix + payload + b"}" for payload in rows.payloads], rows.sound))
