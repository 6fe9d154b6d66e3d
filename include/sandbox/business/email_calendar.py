"""Which campaigns a merchant sends when, and the flows that always run."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.business.email_model import METRIC_IDS, Campaign, Flow, Message, short_id, ulid
from sandbox.business.simulator import day_start

if TYPE_CHECKING:
    from sandbox.business.merchants import Merchant

DAY = timedelta(days=1)
TUESDAY, FRIDAY = 1, 4
SMS_ON, SMS_EVERY, PUSH_ON = 4, 14, 2
"""On which days of the simulation texts go out, how often, and when the one push message does."""
SUBJECTS = ("This week's trails", "Three days out", "What we packed", "Rain or shine", "Back on the ridge")


def flows(merchant: Merchant) -> tuple[Flow, Flow, Flow]:
    """Welcome, abandoned cart and post purchase."""
    return (
        _flow(merchant, "Welcome Series", "Added to List", None, ("email", "Welcome"), ("email", "Our favourites")),
        _flow(
            merchant,
            "Abandoned Cart",
            "Metric",
            METRIC_IDS["Viewed Product"],
            ("email", "Left behind"),
            ("sms", "Cart text"),
        ),
        _flow(merchant, "Post Purchase", "Metric", METRIC_IDS["Placed Order"], ("email", "Thank you")),
    )


def _flow(merchant: Merchant, name: str, trigger: str, metric: str | None, *messages: tuple[str, str]) -> Flow:
    flow = Flow(short_id(merchant.merchant_id, "flow", name), name, trigger, metric, [])
    flow.messages += [
        Message(
            short_id(merchant.merchant_id, "flow", name, title),
            title,
            channel,
            title if channel == "email" else None,
            flow=flow,
        )
        for channel, title in messages
    ]
    return flow


def planned(merchant: Merchant, first_day: date, day: date) -> list[Campaign]:
    """The campaigns that belong to a day: those sent on it, and on the second day a draft and a cancelled one."""
    index = (day - first_day).days
    found = []
    if day.weekday() in (TUESDAY, FRIDAY):
        found.append(_sent(merchant, "email", "weekly_trails", day, timedelta(hours=10, minutes=day.day % 30)))
        if index < 7 and not any((first_day + n * DAY).weekday() in (TUESDAY, FRIDAY) for n in range(index)):
            assert found[0].send_time is not None
            found[0].archived_at = found[0].send_time + 2 * DAY
    if index % SMS_EVERY == SMS_ON:
        found.append(_sent(merchant, "sms", "flash_sale", day, timedelta(hours=17)))
    if index == PUSH_ON:
        found.append(_sent(merchant, "mobile_push", "app_launch", day, timedelta(hours=12)))
    if index == 1:
        noon = day_start(merchant, day) + timedelta(hours=12)
        found.append(_campaign(merchant, "email", "winter_ideas", day, noon))
        cancelled = _campaign(merchant, "email", "storm_warning", day, noon)
        cancelled.scheduled_at, cancelled.cancelled_at = noon + timedelta(hours=1), noon + timedelta(hours=5)
        found.append(cancelled)
    return found


def _sent(merchant: Merchant, channel: str, topic: str, day: date, offset: timedelta) -> Campaign:
    """Made five days before it is sent, and scheduled four days before, so that one is always waiting."""
    send_time = day_start(merchant, day) + offset
    campaign = _campaign(merchant, channel, topic, day, send_time - 5 * DAY)
    campaign.scheduled_at, campaign.send_time = send_time - 4 * DAY, send_time
    return campaign


def _campaign(merchant: Merchant, channel: str, topic: str, day: date, created_at: datetime) -> Campaign:
    name = f"{topic} {day.isoformat()}"
    subject = SUBJECTS[day.toordinal() % len(SUBJECTS)] if channel != "sms" else None
    sent_through = "push-notification" if channel == "mobile_push" else channel
    message = Message(ulid(merchant.merchant_id, "message", name), name, sent_through, subject)
    message.campaign = Campaign(ulid(merchant.merchant_id, "campaign", name), name, channel, message, created_at)
    return message.campaign
