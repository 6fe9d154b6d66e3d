"""The shapes of what Meta answers, and of a campaign's day."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec

from tributary.channels.meta_ads.refusals import Error

Id = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,20}$")]
Count = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,18}$")]
Amount = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,20})?$")]
_AMOUNT = msgspec.json.Decoder(Amount)
PURCHASES = frozenset({"omni_purchase", "purchase"})
"""Names of the same purchases: all of them, and those outside of shops. Never to be added up."""


class Identity(msgspec.Struct):
    """Whose row it is."""

    date_start: date
    campaign_id: Id

    @property
    def on(self) -> date:
        """The day, by the account's clock."""
        return self.date_start

    @property
    def campaign(self) -> str:
        """The campaign's id."""
        return self.campaign_id


class Action(msgspec.Struct):
    """How many of one kind there were, or what they were worth."""

    action_type: str
    value: msgspec.Raw = msgspec.Raw(b"null")

    def __post_init__(self) -> None:
        if self.action_type in PURCHASES:
            _AMOUNT.decode(self.value)


class Row(Identity):
    """A campaign's day."""

    date_stop: date
    campaign_name: str
    account_currency: str
    spend: Amount
    impressions: Count
    clicks: Count
    objective: str = ""
    actions: list[Action] = []
    action_values: list[Action] = []

    def __post_init__(self) -> None:
        if self.date_stop != self.date_start:
            raise ValueError(f"The row is of {self.date_start} to {self.date_stop}, not of one day")


class _Paging(msgspec.Struct):
    class Cursors(msgspec.Struct):
        after: str | None = None

    cursors: Cursors | None = None
    next: str | None = None


class Listed(msgspec.Struct):
    """A page of a list."""

    data: list[msgspec.Raw]
    paging: _Paging | None = None

    @property
    def goes_on(self) -> bool:
        """Whether there is another page; the last one has a cursor too."""
        return self.paging is not None and self.paging.next is not None

    @property
    def after(self) -> str | None:
        """Where it begins."""
        return self.paging.cursors.after if self.paging and self.paging.cursors else None


class Account(msgspec.Struct):
    """An ad account."""

    account_id: Id
    name: str
    currency: str
    timezone_name: str
    account_status: int


class Started(msgspec.Struct):
    """An asynchronous report that was asked for."""

    report_run_id: str


class Run(msgspec.Struct):
    """How far an asynchronous report is."""

    async_status: str
    async_percent_completion: int = 0
    error_code: int | None = None
    error_subcode: int | None = None
    error_message: str | None = None
    error_user_title: str | None = None
    error_user_msg: str | None = None

    @property
    def error(self) -> Error | None:
        """Why it failed, where Meta says so."""
        if self.error_code is None:
            return None
        return Error(
            self.error_code, self.error_message or "", self.error_subcode, self.error_user_title, self.error_user_msg
        )
