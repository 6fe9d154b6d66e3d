"""Lists of events, fast: an event's JSON is made once, and kept for the address that it was made for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.json_paths import encoded
from sandbox.klaviyo.documents import event as event_document
from sandbox.klaviyo.filters import holds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.business.email import EmailMarketing
    from sandbox.business.email_model import EmailEvent
    from sandbox.klaviyo.filters import Condition
    from sandbox.klaviyo.pages import Asked, Key

MOMENT = timedelta(seconds=1)


class Events:
    """The events of one account as bytes."""

    def __init__(self) -> None:
        self._base = ""
        self._made: dict[EmailEvent, bytes] = {}

    def document(self, base: str, event: EmailEvent) -> bytes:
        if base != self._base:
            self._base, self._made = base, {}
        made = self._made.get(event)
        if made is None:
            made = self._made[event] = encoded(event_document(base, event))
        return made


def page(
    marketing: EmailMarketing, now: datetime, conditions: list[Condition], asked: Asked
) -> tuple[list[EmailEvent], Key | None]:
    """The page's events, and the key of its last when there are more."""
    metrics = next((_texts(one.value) for one in conditions if one.field == "metric_id"), [""])
    low, high = _bounds(conditions)
    after = None
    if asked.after is not None:
        after = (datetime.fromtimestamp(int(asked.after[0]), UTC), asked.after[1])
        low, high = (low, after[0] + MOMENT) if asked.descending else (after[0], high)
    found = [event for metric in metrics for event in marketing.between(metric, low, high)]
    if len(metrics) > 1:
        found.sort(key=lambda event: event.key)
    shown: list[EmailEvent] = []
    others = [one for one in conditions if one.field != "metric_id"]
    for event in _ordered(found, asked.descending):
        if event.visible_at > now or (after and (event.key >= after if asked.descending else event.key <= after)):
            continue
        if all(holds(one, _own(event, one.field)) for one in others):
            if len(shown) == asked.size:
                last = shown[-1]
                return shown, (str(int(last.at.timestamp())), last.id)
            shown.append(event)
    return shown, None


def _ordered(events: list[EmailEvent], descending: bool) -> Iterable[EmailEvent]:
    return reversed(events) if descending else events


def _own(event: EmailEvent, field: str) -> object:
    if field == "timestamp":
        return event.at.timestamp()
    return {"datetime": event.at, "profile_id": event.profile}.get(field, True)


def _texts(value: str | list[str] | None) -> list[str]:
    """The metrics that a filter names; `has(metric)` names none."""
    return value if isinstance(value, list) else [value or ""]


def _bounds(conditions: list[Condition]) -> tuple[datetime | None, datetime | None]:
    """Times around all that can be asked for, so that not every event is looked at."""
    low = [one.value for one in conditions if one.field == "datetime" and one.operator.startswith("greater")]
    high = [one.value for one in conditions if one.field == "datetime" and one.operator.startswith("less")]
    return max(low, default=None), min(high) + MOMENT if high else None
