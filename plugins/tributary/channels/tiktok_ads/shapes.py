"""What a row of each report must look like; what staging could not cast is a dead letter."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(pattern=r"^[0-9]{1,20}$")]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}( 00:00:00)?$")]
# A minus sign alone stands for nothing.
Amount = Annotated[str, Meta(pattern=r"^(-|-?[0-9]{1,12}(\.[0-9]{1,6})?)$")]
Count = Annotated[str, Meta(pattern=r"^(-|[0-9]{1,15}(\.0+)?)$")]


class Dimensions(msgspec.Struct, gc=False):
    """Whose figures they are."""

    campaign_id: Id
    stat_time_day: Day


class Identity(msgspec.Struct, gc=False):
    """As much of a row as says whose it is."""

    dimensions: Dimensions

    @property
    def on(self) -> date:
        """The day, by the account's clock."""
        return date.fromisoformat(self.dimensions.stat_time_day[:10])

    @property
    def campaign(self) -> str:
        """The campaign's id."""
        return self.dimensions.campaign_id


class CampaignFigures(msgspec.Struct, gc=False):
    """What the report of campaigns tells; purchases are those on the website."""

    spend: Amount
    impressions: Count
    clicks: Count
    complete_payment: Count
    total_complete_payment_rate: Amount
    """The value of the purchases, in spite of its name."""
    campaign_name: str | None = None


class CampaignRow(Identity, gc=False):
    """A campaign's day."""

    metrics: CampaignFigures


class GmvMaxFigures(msgspec.Struct, gc=False):
    """What the report of GMV Max tells; it has neither impressions nor clicks."""

    cost: Amount
    orders: Count
    gross_revenue: Amount
    campaign_name: str | None = None


class GmvMaxRow(Identity, gc=False):
    """A GMV Max campaign's day."""

    metrics: GmvMaxFigures


CAMPAIGN_METRICS = CampaignFigures.__struct_fields__
GMV_MAX_METRICS = GmvMaxFigures.__struct_fields__
