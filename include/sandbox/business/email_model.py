"""What a merchant's e-mail marketing is made of: metrics, campaigns, flows, their messages, profiles and events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.business.order import Person

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
OPENED_AT = datetime(2026, 1, 15, 9, tzinfo=UTC)
"""Since when the account exists, with its metrics and flows."""
SENDING = timedelta(minutes=10)
"""How long a campaign takes to go out."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A kind of event, and the integration that reports it."""

    id: str
    name: str
    integration: str = "Klaviyo"
    created_at: datetime = OPENED_AT


PLACED_ORDER = "Placed Order"
METRICS = (
    Metric("RESQ6t", PLACED_ORDER, "Shopify"),
    Metric("RcvEm1", "Received Email"),
    Metric("OpnEm2", "Opened Email"),
    Metric("ClkEm3", "Clicked Email"),
    Metric("BncEm4", "Bounced Email"),
    Metric("SpmEm5", "Marked Email as Spam"),
    Metric("UnsEm6", "Unsubscribed"),
    Metric("RcvSm7", "Received SMS"),
    Metric("ClkSm8", "Clicked SMS"),
    Metric("FldSm9", "Failed to Deliver SMS"),
    Metric("UnsSmA", "Unsubscribed from SMS Marketing"),
    Metric("RcvPuB", "Received Push"),
    Metric("OpnPuC", "Opened Push"),
    Metric("ViewPr", "Viewed Product", "Shopify"),
    Metric("ActvSt", "Active on Site", "API"),
)
METRIC_IDS = {metric.name: metric.id for metric in METRICS}


@dataclass(eq=False, slots=True)
class Message:
    """What is sent: the message of a campaign, or one of a flow's."""

    id: str
    name: str
    channel: str
    """As reports call it: email, sms or push-notification."""
    subject: str | None = None
    campaign: Campaign | None = None
    flow: Flow | None = None

    def properties(self) -> dict[str, Any]:
        """What an event says about its message."""
        told: dict[str, Any] = {"$message": self.id}
        if self.flow is not None:
            told["$flow"] = self.flow.id
        else:
            told["Campaign Name"] = self.name
        return told | ({"Subject": self.subject} if self.subject else {})


@dataclass(eq=False, slots=True)
class Campaign:
    """One message to many people; without `send_time` it is a draft."""

    id: str
    name: str
    channel: str
    """As the campaigns' filter calls it: email, sms or mobile_push."""
    message: Message
    created_at: datetime
    scheduled_at: datetime | None = None
    send_time: datetime | None = None
    cancelled_at: datetime | None = None
    archived_at: datetime | None = None
    renamed_at: datetime | None = None

    def status(self, now: datetime) -> str:
        if self.cancelled_at is not None and self.cancelled_at <= now:
            return "Cancelled"
        if self.scheduled_at is None or self.send_time is None or self.scheduled_at > now:
            return "Draft"
        if now < self.send_time:
            return "Scheduled"
        return "Sending" if now < self.send_time + SENDING else "Sent"

    def archived(self, now: datetime) -> bool:
        return self.archived_at is not None and self.archived_at <= now

    def updated_at(self, now: datetime) -> datetime:
        sending = [self.send_time, self.send_time + SENDING] if self.send_time and not self.cancelled_at else []
        moments = (self.created_at, self.scheduled_at, self.cancelled_at, self.archived_at, self.renamed_at, *sending)
        return max(moment for moment in moments if moment is not None and moment <= now)


@dataclass(eq=False, slots=True)
class Flow:
    """Messages that one thing a person does sets off."""

    id: str
    name: str
    trigger_type: str
    trigger_metric: str | None
    messages: list[Message]


@dataclass(eq=False, slots=True)
class Profile:
    """A person who gave an e-mail address."""

    id: str
    person: Person
    created_at: datetime
    orders: list[datetime] = field(default_factory=list)
    unsubscribed_at: datetime | None = None

    def updated_at(self, now: datetime) -> datetime:
        moments = (self.created_at, self.person.registered_at, self.unsubscribed_at, *self.orders)
        return max(moment for moment in moments if moment is not None and moment <= now)


@dataclass(eq=False, slots=True)
class EmailEvent:
    """Something a person did; `visible_at` is when the vendor's list of events shows it."""

    id: str
    metric: str
    """The metric's id."""
    profile: str
    at: datetime
    visible_at: datetime
    properties: dict[str, Any]
    message: Message | None = None
    sent_at: datetime | None = None
    order_id: int | None = None

    @property
    def key(self) -> tuple[datetime, str]:
        return self.at, self.id


def ulid(*parts: object) -> str:
    """An id like those of campaigns and profiles, always the same for the same parts."""
    return "01" + _text(CROCKFORD, 24, parts)


def short_id(*parts: object) -> str:
    """An id like those of flows and of their messages."""
    return _text(LETTERS, 6, parts)


def event_id(*parts: object) -> str:
    return _text(LETTERS, 11, parts)


def _text(alphabet: str, length: int, parts: tuple[object, ...]) -> str:
    number = int.from_bytes(blake2b("/".join(map(str, parts)).encode(), digest_size=20).digest())
    text = ""
    for _ in range(length):
        number, digit = divmod(number, len(alphabet))
        text += alphabet[digit]
    return text
