"""What each campaign's message brought in all, credited to the day it was sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.klaviyo.campaigns import campaigns_by_id
from tributary.channels.klaviyo.report_shapes import CAMPAIGN_VALUES, Campaign
from tributary.channels.klaviyo.reports import BUDGET, context, report
from tributary.channels.klaviyo.whole_days import midnight, touched
from tributary.channels.payloads import neutralised
from tributary.channels.records import Kind, Rows
from tributary.declaration import Page, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.channels.klaviyo.api import KlaviyoApi

__all__ = ["BUDGET", "LOOK_BACK", "SLICE", "by_id", "changed", "happened", "history", "replayed"]

LOOK_BACK = timedelta(days=90)
"""The longest conversion window that an account may choose: so long a campaign's figures may grow."""
MOST_DAYS = 365
"""The longest timeframe that Klaviyo reports on."""
SLICE = timedelta(days=MOST_DAYS)
GROUP_BY = ("campaign_id", "campaign_message_id", "campaign_message_name", "send_channel")


class _Of(msgspec.Struct):
    campaign_id: str = ""
    campaign_message_id: str = ""
    send_channel: str = ""


class _Row(msgspec.Struct):
    groupings: _Of


class _Identified(msgspec.Struct):
    row: _Row


class _Attributes(msgspec.Struct):
    name: str | None = None
    send_time: str | None = None


class _Listed(msgspec.Struct):
    id: str
    attributes: _Attributes


class _OfChannel(msgspec.Struct):
    campaign: _Listed


_ROW = msgspec.json.Decoder(_Row)
_IDENTIFIED = msgspec.json.Decoder(_Identified)
_LISTED = msgspec.json.Decoder(_OfChannel)


def _find_id(payload: bytes) -> str:
    of = _IDENTIFIED.decode(payload).row.groupings
    if not of.campaign_message_id or not of.send_channel:
        raise msgspec.DecodeError("the row does not say what it is of")
    return f"{of.campaign_message_id}/{of.send_channel}"


KIND = Kind(CAMPAIGN_VALUES, _find_id)
replayed = KIND.replayed


def changed(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """The messages of the campaigns that were sent on the account's days of the window."""
    zone = api.account().time_zone
    for part in touched(start, end, zone).parts(MOST_DAYS):
        for found in report(api, "campaign-values-report", part, GROUP_BY):
            yield _page(api, found.rows, midnight(part.first, zone))


happened = changed


def history(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Slice]:
    """Whole days, today included, as many at a time as one call gives."""
    if start < end:
        zone = api.account().time_zone
        for part in touched(start, end, zone).parts(MOST_DAYS):
            yield Slice(midnight(part.first, zone), midnight(part.after, zone), changed)


def by_id(api: KlaviyoApi, ids: Sequence[str]) -> Iterator[Page]:
    """Nothing is there that its days do not show."""
    yield Page((), gone=ids)


def _page(api: KlaviyoApi, rows: Rows, begins: datetime) -> Page:
    """The rows with what they do not say: when their campaign was sent."""
    of = [_campaign_id(row) for row in rows.payloads]
    listed = _campaigns(api, sorted({campaign for campaign in of if campaign}))
    held = context(api)
    whole = [
        b'{"campaign":%b,%b,"row":%b}' % (msgspec.json.encode(listed.get(campaign)), held, row)
        for campaign, row in zip(of, rows.payloads, strict=True)
        # Of one that went out slowly, from before the window on, this is not all.
        if campaign not in listed or not _sent_before(listed[campaign], begins)
    ]
    return KIND.page(Rows(whole, rows.sound))


def _sent_before(campaign: Campaign, moment: datetime) -> bool:
    return campaign.send_time is not None and datetime.fromisoformat(campaign.send_time) < moment


def _campaign_id(row: bytes) -> str:
    """Of which campaign a row is; empty when it cannot be told."""
    try:
        return _ROW.decode(neutralised(row)).groupings.campaign_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _campaigns(api: KlaviyoApi, ids: Sequence[str]) -> dict[str, Campaign]:
    """What is kept of each campaign, in the words of the list."""
    found = {}
    for page in campaigns_by_id(api, ids):
        for record in page.records:
            listed = _LISTED.decode(record.payload).campaign
            found[record.record_id] = Campaign(listed.id, listed.attributes.name, listed.attributes.send_time)
    return found
