"""The fields of reports that staging casts, and a report's rows as records."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from tributary.channels.klaviyo.records import Id, Time, instant
from tributary.channels.records import noon
from tributary.declaration import Record

# Klaviyo writes counts as it likes: 12 or 12.0. It may say null of what a send channel does not know.
Figure = Annotated[float, Meta(ge=0, le=1e15, multiple_of=1)] | None
Value = Annotated[float, Meta(ge=-1e15, le=1e15)] | None
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Name = Annotated[str, Meta(min_length=1)]


class Statistics(msgspec.Struct, gc=False):
    """What is asked for of every message. Rates are quotients of these, and not asked for."""

    recipients: Figure
    delivered: Figure
    opens: Figure
    opens_unique: Figure
    clicks: Figure
    clicks_unique: Figure
    conversions: Figure
    conversion_uniques: Figure
    conversion_value: Value
    unsubscribes: Figure
    unsubscribe_uniques: Figure
    bounced: Figure
    spam_complaints: Figure
    failed: Figure


class _Context(msgspec.Struct, gc=False, kw_only=True):
    """What holds for all rows of a report, and what they do not say themselves."""

    currency: Currency
    time_zone: Name
    conversion_metric_id: Id


class _OfCampaign(msgspec.Struct, gc=False):
    campaign_id: Id
    campaign_message_id: Id
    send_channel: Id
    campaign_message_name: str | None = None


class _CampaignRow(msgspec.Struct, gc=False):
    groupings: _OfCampaign
    statistics: Statistics


class Campaign(msgspec.Struct, gc=False):
    """The campaign that a row is of, as the list of campaigns shows it."""

    id: Id
    name: str | None = None
    send_time: Time | None = None


class CampaignValues(_Context, gc=False):
    """What a campaign's message brought in one send channel."""

    row: _CampaignRow
    campaign: Campaign | None = None

    def record(self, payload: bytes) -> Record:
        """The row as a record, at the time the campaign was sent: Klaviyo credits everything to it."""
        of = self.row.groupings
        if self.campaign is None:
            what = f"The campaign {of.campaign_id} is on no list of campaigns, so nothing says when it was sent"
            raise ValueError(f"{what} - at `$.campaign`")
        if self.campaign.send_time is None:
            raise ValueError(f"The campaign {of.campaign_id} has figures but no send time - at `$.campaign.send_time`")
        sent_at = instant("campaign.send_time", self.campaign.send_time)
        return Record(f"{of.campaign_message_id}/{of.send_channel}", sent_at, sent_at, payload)


class _OfFlow(msgspec.Struct, gc=False):
    flow_id: Id
    flow_message_id: Id
    send_channel: Id
    flow_name: str | None = None
    flow_message_name: str | None = None


class _FlowRow(msgspec.Struct, gc=False):
    groupings: _OfFlow
    statistics: Statistics


class FlowValues(_Context, gc=False):
    """What a flow's message brought on one day in one send channel."""

    date: Day
    row: _FlowRow

    def record(self, payload: bytes) -> Record:
        """The day of the message as a record."""
        of, stands_at = self.row.groupings, noon(date.fromisoformat(self.date))
        return Record(f"{self.date}/{of.flow_message_id}/{of.send_channel}", stands_at, stands_at, payload)


class ConversionDay(_Context, gc=False):
    """The conversions of one day, by the day they happened on."""

    date: Day
    count: Figure
    sum_value: Value
    unique: Figure

    def record(self, payload: bytes) -> Record:
        """The day as a record."""
        stands_at = noon(date.fromisoformat(self.date))
        return Record(self.date, stands_at, stands_at, payload)


STATISTICS = Statistics.__struct_fields__
CAMPAIGN_VALUES = msgspec.json.Decoder(CampaignValues)
FLOW_VALUES = msgspec.json.Decoder(FlowValues)
CONVERSION_DAY = msgspec.json.Decoder(ConversionDay)
