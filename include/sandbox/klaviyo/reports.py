"""What campaigns and flows achieved: values of a timeframe, and series of its intervals."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from sandbox.business.email_values import Tally, deeds, statistics
from sandbox.klaviyo.filters import holds, parsed
from sandbox.klaviyo.published import CAMPAIGN_VALUES, FLOW_SERIES, Endpoint
from sandbox.klaviyo.refusals import Refused
from sandbox.klaviyo.timeframes import intervals, timeframe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from sandbox.business.email import EmailMarketing
    from sandbox.business.email_model import Message
    from sandbox.business.email_values import Deed
    from sandbox.klaviyo.filters import Condition

LISTS = ("tag_id", "tag_name")


def report(
    endpoint: Endpoint,
    asked: dict[str, Any],
    marketing: EmailMarketing,
    now: datetime,
    cancelled_at: Callable[[int], datetime | None],
) -> dict[str, Any]:
    """The report's attributes."""
    names = chosen(endpoint, asked, "statistics")
    grouped = _grouping(endpoint, asked)
    conditions = _filter(asked.get("filter"), endpoint)
    metric = asked.get("conversion_metric_id")
    if metric not in {one.id for one in marketing.metrics}:
        detail = f"A metric with id '{metric}' does not exist."
        raise Refused(404, detail, pointer="/data/attributes/conversion_metric_id")
    start, end = timeframe(asked.get("timeframe"), now, marketing.merchant.zone)
    starts = [start]
    if endpoint is FLOW_SERIES:
        allowed = endpoint.asked["properties"]["interval"]["enum"]
        if asked.get("interval") not in allowed:
            detail = f"'{asked.get('interval')}' is not an interval; these are: {', '.join(allowed)}."
            raise Refused(400, detail, pointer="/data/attributes/interval")
        starts = intervals(asked["interval"], start, end)
    found = [
        deed
        for deed in deeds(marketing, now, metric, start, min(end, now), cancelled_at)
        if (deed.message.campaign is not None) == (endpoint is CAMPAIGN_VALUES)
        and all(holds(condition, dimensions(deed.message)[condition.field]) for condition in conditions)
    ]
    rows = _tallied(found, grouped, starts)
    results = []
    for groupings, (channel, tallies) in rows.items():
        each = [statistics(tally, channel) for tally in tallies]
        told = {name: [one[name] for one in each] if endpoint is FLOW_SERIES else each[0][name] for name in names}
        results.append({"groupings": dict(zip(grouped, groupings, strict=True)), "statistics": told})
    attributes: dict[str, Any] = {"results": results}
    if endpoint is FLOW_SERIES:
        attributes["date_times"] = [one.isoformat() for one in starts]
    return attributes


def _tallied(
    found: Iterable[Deed], grouped: list[str], starts: list[datetime]
) -> dict[tuple[str, ...], tuple[str, list[Tally]]]:
    """By group: its channel and a tally of each interval."""
    rows: dict[tuple[str, ...], tuple[str, list[Tally]]] = {}
    for deed in found:
        own = dimensions(deed.message)
        key = tuple(own[name] for name in grouped)
        if key not in rows:
            rows[key] = (deed.message.channel, [Tally() for _ in starts])
        rows[key][1][max(0, bisect_right(starts, deed.sent_at) - 1)].add(deed)
    return rows


def dimensions(message: Message) -> dict[str, str]:
    """What a message may be grouped and filtered by; there are no tags, tests or variations."""
    empty = ("group", "group_name", "tag_id", "tag_name", "variation", "variation_name")
    own = {**dict.fromkeys(empty, ""), "send_channel": message.channel}
    own["text_message_format"] = "SMS" if message.channel == "sms" else ""
    if message.campaign is not None:
        own |= {"campaign_id": message.campaign.id, "campaign_message_id": message.id}
        own["campaign_message_name"] = message.name
    if message.flow is not None:
        own |= {"flow_id": message.flow.id, "flow_name": message.flow.name}
        own |= {"flow_message_id": message.id, "flow_message_name": message.name}
    return own


def chosen(endpoint: Endpoint, asked: dict[str, Any], name: str) -> list[str]:
    """A list of which each item is one of the published ones."""
    pointer, values = f"/data/attributes/{name}", asked.get(name)
    allowed = endpoint.asked["properties"][name]["items"]["enum"]
    if not isinstance(values, list) or not values:
        raise Refused(400, f"{name} must be a list that is not empty.", pointer=pointer)
    for number, value in enumerate(values):
        if value not in allowed:
            detail = f"'{value}' is not valid in {name}; these are: {', '.join(allowed)}."
            raise Refused(400, detail, pointer=f"{pointer}/{number}")
    return values


def _grouping(endpoint: Endpoint, asked: dict[str, Any]) -> list[str]:
    subject = "campaign" if endpoint is CAMPAIGN_VALUES else "flow"
    required = [f"{subject}_id", f"{subject}_message_id"]
    if asked.get("group_by") is None:
        return [*required, "send_channel"]
    grouped = chosen(endpoint, asked, "group_by")
    if missing := [name for name in required if name not in grouped]:
        detail = f"group_by must contain {' and '.join(missing)}."
        raise Refused(400, detail, pointer="/data/attributes/group_by")
    return grouped


def _filter(text: Any, endpoint: Endpoint) -> list[Condition]:
    if text is None:
        return []
    fields = set(endpoint.asked["properties"]["group_by"]["items"]["enum"]) - {"group", "group_name"}
    try:
        conditions = parsed(str(text))
    except ValueError as error:
        raise Refused(400, str(error), pointer="/data/attributes/filter") from None
    seen: set[str] = set()
    for one in conditions:
        operators = ("contains-any", "contains-all") if one.field in LISTS else ("equals", "contains-any")
        if one.field not in fields or one.operator not in operators or one.field in seen:
            detail = f"'{one.operator}' on '{one.field}' is not supported, or not twice."
            raise Refused(400, detail, pointer="/data/attributes/filter")
        if isinstance(one.value, list) and len(one.value) > 100:
            raise Refused(400, "A filter has at most 100 items.", pointer="/data/attributes/filter")
        seen.add(one.field)
    return conditions
