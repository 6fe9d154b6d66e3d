"""What follows when a message is sent to somebody: it arrives or bounces, and may be opened, clicked or be the last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.business.email_model import METRIC_IDS, EmailEvent, Message, Profile, event_id

if TYPE_CHECKING:
    from random import Random

DAY = timedelta(days=1)
REACTS_WITHIN = 4 * DAY
"""Nobody opens or clicks later than this after the sending."""
LATE, LATEST = 0.03, 4 * DAY
"""The share of events that the vendor shows late, and how late at most."""
AHEAD, FURTHEST = 0.02, 2 * DAY
"""The share of openings and of views whose device's clock is fast, and by how much at most."""


class Sending:
    """Makes events; everything drawn comes from the random stream of the day that is being made."""

    def __init__(self, seed: int, storefront: str) -> None:
        self._seed = seed
        self._storefront = storefront
        self._number = 0
        self.made: list[EmailEvent] = []

    def event(
        self,
        rng: Random,
        metric: str,
        profile: Profile,
        at: datetime,
        properties: dict[str, Any],
        message: Message | None = None,
        sent_at: datetime | None = None,
        order_id: int | None = None,
    ) -> None:
        self._number += 1
        visible_at = at
        if rng.random() < LATE:
            visible_at = at + timedelta(seconds=rng.randint(60, int(LATEST.total_seconds())))
        made = EmailEvent(
            event_id(self._seed, self._number),
            METRIC_IDS[metric],
            profile.id,
            at,
            visible_at,
            properties,
            message,
            sent_at,
            order_id,
        )
        if metric in ("Opened Email", "Viewed Product") and rng.random() < AHEAD:
            ahead = timedelta(seconds=rng.randint(60, int(FURTHEST.total_seconds())))
            if sent_at is None or at + ahead < sent_at + REACTS_WITHIN:
                made.at, made.visible_at = at + ahead, at
        self.made.append(made)

    def send(
        self, rng: Random, message: Message, profile: Profile, sent_at: datetime, clicked_at: datetime | None = None
    ) -> None:
        """`clicked_at` is when they follow its link into the shop, if that is certain."""
        reactions = {"email": self._mail, "sms": self._text, "push-notification": self._push}
        reactions[message.channel](rng, message, profile, sent_at, clicked_at)

    def _mail(
        self, rng: Random, message: Message, profile: Profile, sent_at: datetime, clicked_at: datetime | None
    ) -> None:
        def happens(metric: str, at: datetime, **more: Any) -> None:
            self.event(rng, metric, profile, at, message.properties() | more, message, sent_at)

        if clicked_at is None and rng.random() < 0.015:
            happens("Bounced Email", sent_at + _seconds(rng, 5, 90), **{"Bounce Type": "Hard"})
            return
        received_at = sent_at + _seconds(rng, 5, 60)
        happens("Received Email", received_at)
        if clicked_at is not None:
            happens("Opened Email", max(received_at, clicked_at - _seconds(rng, 3, 90)))
            happens("Clicked Email", clicked_at, URL=self._storefront)
            return
        if rng.random() > 0.33:
            return
        opened_at = received_at + timedelta(seconds=int(rng.expovariate(1 / 21_600)))
        if opened_at > sent_at + REACTS_WITHIN - DAY:
            return
        happens("Opened Email", opened_at)
        draw = rng.random()
        if draw < 0.12:
            happens("Clicked Email", opened_at + _seconds(rng, 5, 120), URL=self._storefront)
        elif draw < 0.24:
            happens("Opened Email", opened_at + _seconds(rng, 600, 40_000))
        elif draw < 0.27:
            profile.unsubscribed_at = opened_at + _seconds(rng, 5, 120)
            happens("Unsubscribed", profile.unsubscribed_at)
        elif draw < 0.273:
            happens("Marked Email as Spam", opened_at + _seconds(rng, 5, 120))

    def _text(
        self, rng: Random, message: Message, profile: Profile, sent_at: datetime, clicked_at: datetime | None
    ) -> None:
        def happens(metric: str, at: datetime) -> None:
            self.event(rng, metric, profile, at, message.properties(), message, sent_at)

        if clicked_at is None and rng.random() < 0.01:
            happens("Failed to Deliver SMS", sent_at + _seconds(rng, 5, 90))
            return
        received_at = sent_at + _seconds(rng, 2, 30)
        happens("Received SMS", received_at)
        if clicked_at is not None:
            happens("Clicked SMS", clicked_at)
        elif rng.random() < 0.06:
            happens("Clicked SMS", received_at + timedelta(seconds=int(rng.expovariate(1 / 3_600))))
        elif rng.random() < 0.015:
            happens("Unsubscribed from SMS Marketing", received_at + _seconds(rng, 30, 900))

    def _push(
        self, rng: Random, message: Message, profile: Profile, sent_at: datetime, clicked_at: datetime | None
    ) -> None:
        def happens(metric: str, at: datetime) -> None:
            self.event(rng, metric, profile, at, message.properties(), message, sent_at)

        received_at = sent_at + _seconds(rng, 1, 20)
        happens("Received Push", received_at)
        if rng.random() < 0.2:
            happens("Opened Push", received_at + _seconds(rng, 5, 20_000))


def _seconds(rng: Random, low: int, high: int) -> timedelta:
    return timedelta(seconds=rng.randint(low, high))
