"""What campaigns and flows achieved, counted from the events: everything stands at the time its message was sent."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.business.email_model import METRIC_IDS, PLACED_ORDER, EmailEvent, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sandbox.business.email import EmailMarketing

WINDOW = timedelta(days=5)
"""An order counts for what its buyer opened or clicked so long before, and nothing changes so long after a sending."""
KINDS = {
    "Received Email": "received", "Received SMS": "received", "Received Push": "received",
    "Opened Email": "opened", "Opened Push": "opened", "Clicked Email": "clicked", "Clicked SMS": "clicked",
    "Unsubscribed": "unsubscribed", "Unsubscribed from SMS Marketing": "unsubscribed",
    "Bounced Email": "bounced", "Failed to Deliver SMS": "failed", "Marked Email as Spam": "spam",
}  # fmt: skip
BY_METRIC = {METRIC_IDS[name]: kind for name, kind in KINDS.items()}
CONVERSION = "conversion"


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that happened to a message, at the time it was sent to that person."""

    message: Message
    sent_at: datetime
    kind: str
    profile: str
    count: int = 1
    cents: int = 0


@dataclass(slots=True)
class Tally:
    """Deeds of one group, counted."""

    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    people: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    restated: int = 0
    """Conversions that were added or taken away from outside; each counts as a person of its own."""
    cents: int = 0

    def add(self, deed: Deed) -> None:
        self.counts[deed.kind] += deed.count
        self.cents += deed.cents
        if deed.profile:
            self.people[deed.kind].add(deed.profile)
        else:
            self.restated += deed.count


def deeds(
    marketing: EmailMarketing,
    as_of: datetime,
    conversion_metric: str,
    low: datetime,
    high: datetime,
    cancelled_at: Callable[[int], datetime | None],
) -> Iterator[Deed]:
    """Everything that had happened by `as_of` to what was sent in low <= time < high."""
    gone = {(message, day) for since, message, day in marketing.vanished if since <= as_of}
    for deed in _all(marketing, as_of, conversion_metric, cancelled_at):
        if low <= deed.sent_at < high and (deed.message.id, _day(marketing, deed.sent_at)) not in gone:
            yield deed


def _day(marketing: EmailMarketing, instant: datetime) -> date:
    return instant.astimezone(marketing.merchant.zone).date()


def _all(
    marketing: EmailMarketing, as_of: datetime, metric: str, cancelled_at: Callable[[int], datetime | None]
) -> Iterator[Deed]:
    touches: dict[str, list[tuple[datetime, EmailEvent]]] = defaultdict(list)
    for event in marketing.between(""):
        if event.at > as_of or event.message is None or event.sent_at is None or event.metric not in BY_METRIC:
            continue
        kind = BY_METRIC[event.metric]
        yield Deed(event.message, event.sent_at, kind, event.profile)
        if kind in ("opened", "clicked"):
            touches[event.profile].append((event.at, event))
    for event in marketing.between(metric):
        touch = _last(touches.get(event.profile, ()), event.at) if event.at <= as_of else None
        if touch is None or touch.message is None or touch.sent_at is None or event.at >= touch.sent_at + WINDOW:
            continue
        cancelled = cancelled_at(event.order_id) if event.order_id else None
        if cancelled is None or cancelled > min(as_of, touch.sent_at + WINDOW):
            cents = round(100 * event.properties.get("$value", 0))
            yield Deed(touch.message, touch.sent_at, CONVERSION, event.profile, 1, cents)
    yield from _restated(marketing, as_of, metric)


def _last(touches: Iterable[tuple[datetime, EmailEvent]], at: datetime) -> EmailEvent | None:
    """What they opened or clicked last, not long before."""
    known = list(touches)
    position = bisect_right(known, at, key=lambda touch: touch[0])
    if not position or known[position - 1][0] <= at - WINDOW:
        return None
    return known[position - 1][1]


def _restated(marketing: EmailMarketing, as_of: datetime, metric: str) -> Iterator[Deed]:
    if metric != METRIC_IDS[PLACED_ORDER]:
        return
    messages = marketing.messages()
    for since, message_id, day, count, cents in marketing.adjustments:
        message = messages[message_id]
        sent_at = message.campaign.send_time if message.campaign else None
        if day is not None:
            sent_at = datetime(day.year, day.month, day.day, 12, tzinfo=marketing.merchant.zone)
        if since <= as_of and sent_at is not None:
            yield Deed(message, sent_at, CONVERSION, "", count, cents)


def statistics(tally: Tally, channel: str) -> Mapping[str, Any]:
    """All that reports can tell; a rate without a denominator is 0."""
    count, unique = tally.counts, {kind: len(people) for kind, people in tally.people.items()}
    delivered = count["received"]
    recipients = delivered + count["bounced"] + count["failed"]
    buyers = unique.get(CONVERSION, 0) + tally.restated
    value = tally.cents / 100
    texts = recipients if channel == "sms" else 0
    spend = round(texts * 0.0075, 4)

    def rate(part: float, whole: float) -> float:
        return part / whole if whole else 0.0

    return {
        "recipients": recipients,
        "delivered": delivered,
        "delivery_rate": rate(delivered, recipients),
        "bounced": count["bounced"],
        "bounce_rate": rate(count["bounced"], recipients),
        "failed": count["failed"],
        "failed_rate": rate(count["failed"], recipients),
        "bounced_or_failed": recipients - delivered,
        "bounced_or_failed_rate": rate(recipients - delivered, recipients),
        "opens": count["opened"],
        "opens_unique": unique.get("opened", 0),
        "open_rate": rate(unique.get("opened", 0), delivered),
        "clicks": count["clicked"],
        "clicks_unique": unique.get("clicked", 0),
        "click_rate": rate(unique.get("clicked", 0), delivered),
        "click_to_open_rate": rate(unique.get("clicked", 0), unique.get("opened", 0)),
        "conversions": count[CONVERSION],
        "conversion_uniques": buyers,
        "conversion_value": value,
        "conversion_rate": rate(buyers, delivered),
        "average_order_value": rate(value, count[CONVERSION]),
        "revenue_per_recipient": rate(value, delivered),
        "unsubscribes": count["unsubscribed"],
        "unsubscribe_uniques": unique.get("unsubscribed", 0),
        "unsubscribe_rate": rate(unique.get("unsubscribed", 0), delivered),
        "spam_complaints": count["spam"],
        "spam_complaint_rate": rate(count["spam"], delivered),
        "message_segment_count_sum": texts,
        "text_message_credit_usage_amount": texts,
        "text_message_spend": spend,
        "text_message_roi": rate(value, spend),
    }
