"""The videos that sell a merchant's products, with what each of their days brought and how that was restated.

A day's figures follow from (seed, video, day). They are shown from the day after on, differ on each of the first three
days that they are shown, and are final on the fourth; an adjustment from outside comes on top from its day on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil, exp
from random import Random
from typing import TYPE_CHECKING

from sandbox.business.simulator import HOUR, day_start

if TYPE_CHECKING:
    from sandbox.business.merchants import Merchant, Product

DAY = timedelta(days=1)
DAILY = (
    "views", "product_impressions", "product_clicks", "sku_orders", "items_sold", "customers", "gmv", "new_followers",
)  # fmt: skip
"""Counters whose value is the day's own; `gmv` is in cents."""
LIFETIME = ("likes", "comments", "shares", "favorites")
"""Counters of which the vendor tells the total since publication; a day of them may be negative."""
COUNTERS = DAILY + LIFETIME
STILL_MISSING = {1: 0.12, 2: 0.05, 3: 0.01}
"""Which part of a day is not right yet, so many days later."""

POSTED = (-45, -30, -21, -14, -7, -3, 0, 1, 3, 5, 8, 11, 15, 20, 26, 31, 37, 44, 50, 57, 63, 70, 77, 84)
"""On which day of the simulation each video is published."""
REMOVED, REMOVED_ON = 2, 10
"""Which of them its account takes down, and on which day of the simulation."""
ACCOUNTS = (
    ("OFFICIAL_ACCOUNTS", "aurora.outdoor"),
    ("OFFICIAL_ACCOUNTS", "aurora.outdoor"),
    ("AFFILIATE_ACCOUNTS", "trail.with.mia"),
    ("OFFICIAL_ACCOUNTS", "aurora.outdoor"),
    ("MARKETING_ACCOUNTS", "aurora.deals"),
    ("AFFILIATE_ACCOUNTS", "campfire_joe"),
)
ID_BASE = 7_480_000_000_000_000_000


@dataclass(slots=True, eq=False)
class Video:
    id: int
    title: str
    account_type: str
    username: str
    posted_at: datetime
    posted_on: date
    """The date of its publication where the shop is."""
    duration: int
    hash_tags: tuple[str, ...]
    products: tuple[Product, ...]
    reach: int
    """About how many people see it on its first day."""
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A day's counter turned out otherwise, as everybody sees from a date on."""

    day: date
    counter: str
    by: int
    since: date


class Videos:
    """All videos of one merchant; there are none without an account at TikTok Shop."""

    def __init__(self, merchant: Merchant, seed: int, first_day: date) -> None:
        self._merchant = merchant
        self._seed = seed
        posted = enumerate(POSTED) if merchant.tiktok else ()
        self.all = tuple(self._video(number, first_day + timedelta(days=offset)) for number, offset in posted)
        if self.all:
            self.all[REMOVED].deleted_at = day_start(merchant, first_day + timedelta(days=REMOVED_ON)) + timedelta(
                hours=15
            )
        self._adjustments: dict[int, list[Adjustment]] = {}
        self._drawn: dict[int, list[dict[str, int]]] = {}
        """By video: the final figures of each of its days."""
        self._sums: dict[int, list[dict[str, int]]] = {}
        """By video: the totals at the end of each of its days."""

    def shown(self, now: datetime) -> list[Video]:
        """What is published and still there."""
        return [
            video
            for video in self.all
            if video.posted_at <= now and (video.deleted_at is None or now < video.deleted_at)
        ]

    def get(self, video_id: int) -> Video:
        for video in self.all:
            if video.id == video_id:
                return video
        raise LookupError(f"{self._merchant.merchant_id} has no video {video_id}")

    def today(self, now: datetime) -> date:
        """The date where the shop is."""
        return now.astimezone(self._merchant.zone).date()

    def last_day(self, video: Video, seen_on: date) -> date:
        """The last day that can be seen: yesterday, or the day on which the video was taken down."""
        yesterday = seen_on - DAY
        return min(yesterday, self.today(video.deleted_at)) if video.deleted_at else yesterday

    def day(self, video: Video, counter: str, day: date, seen_on: date) -> int:
        """What that day brought, as it looks on `seen_on`."""
        if not video.posted_on <= day <= self.last_day(video, seen_on):
            return 0
        seen = self._seen(video, counter, day, seen_on) + sum(
            one.by for one in self._adjusted(video, counter, seen_on) if one.day == day
        )
        return max(0, seen) if counter in DAILY else seen

    def total(self, video: Video, counter: str, through: date, seen_on: date) -> int:
        """What all days up to that one brought together, as they look on `seen_on`."""
        through = min(through, self.last_day(video, seen_on))
        final = min(through, seen_on - timedelta(days=len(STILL_MISSING) + 1))
        total = self._final(video, final)[counter] if final >= video.posted_on else 0
        day = max(final + DAY, video.posted_on)
        while day <= through:
            total += self._seen(video, counter, day, seen_on)
            day += DAY
        total += sum(one.by for one in self._adjusted(video, counter, seen_on) if one.day <= through)
        return max(0, total)

    def shown_value(self, video: Video, counter: str, day: date, seen_on: date) -> int:
        """What the vendor shows of a day: its own figure, or the total at its end."""
        return (self.total if counter in LIFETIME else self.day)(video, counter, day, seen_on)

    def adjust(self, video: Video, day: date, counter: str, by: int, since: date) -> None:
        """Restate a day late, or take counted likes away again."""
        if counter not in COUNTERS:
            raise ValueError(f"a video has no counter {counter!r}; it has {list(COUNTERS)}")
        if not video.posted_on <= day <= self.last_day(video, since):
            raise ValueError(
                f"video {video.id} has no figures of {day}: it has those from {video.posted_on} to"
                f" {self.last_day(video, since)}"
            )
        self._adjustments.setdefault(video.id, []).append(Adjustment(day, counter, by, since))

    def _video(self, number: int, day: date) -> Video:
        rng = Random(f"{self._seed}/video/{number}")  # noqa: S311 (a simulation)
        account_type, username = ACCOUNTS[number % len(ACCOUNTS)]
        products = tuple(rng.sample(self._merchant.products, 1 + number % 2))
        return Video(
            ID_BASE + 104_729 * (number + 1),
            f"{rng.choice(('Field test', 'First look', 'Packing list', 'Rainy day', 'Why we love'))}: "
            + " & ".join(product.title for product in products),
            account_type,
            username,
            day_start(self._merchant, day) + timedelta(seconds=rng.randrange(8 * HOUR, 22 * HOUR)),
            day,
            rng.randint(12, 180),
            ("outdoors", products[0].sku.split("-")[1].lower()),
            products,
            rng.randint(1_500, 40_000),
        )

    def _adjusted(self, video: Video, counter: str, seen_on: date) -> list[Adjustment]:
        return [one for one in self._adjustments.get(video.id, ()) if one.counter == counter and one.since <= seen_on]

    def _seen(self, video: Video, counter: str, day: date, seen_on: date) -> int:
        """A day before any adjustment: short of the truth at first, or beyond it where bots are found out later."""
        self._final(video, day)
        drawn = self._drawn[video.id][(day - video.posted_on).days]
        missing = ceil(abs(drawn[counter]) * STILL_MISSING.get((seen_on - day).days, 0))
        return drawn[counter] + (missing if drawn["bots"] else -missing)

    def _final(self, video: Video, day: date) -> dict[str, int]:
        """The totals at the end of a day, when all days are final."""
        drawn, sums = self._drawn.setdefault(video.id, []), self._sums.setdefault(video.id, [])
        while len(drawn) <= (day - video.posted_on).days:
            figures = self._draw(video, len(drawn))
            before = sums[-1] if sums else dict.fromkeys(COUNTERS, 0)
            drawn.append(figures)
            sums.append({counter: before[counter] + figures[counter] for counter in COUNTERS})
        return sums[(day - video.posted_on).days]

    def _draw(self, video: Video, age: int) -> dict[str, int]:
        """The final figures of a video's day: interest fades, now and then it is discovered once more."""
        rng = Random(f"{self._seed}/video/{video.id}/{age}")  # noqa: S311 (a simulation)
        views = int(video.reach * (exp(-age / 6) + 0.01) * rng.lognormvariate(0, 0.3))
        if rng.random() < 0.04:
            views += int(video.reach * rng.uniform(0.3, 0.9))
        impressions = int(views * rng.uniform(0.25, 0.4))
        clicks = int(impressions * rng.uniform(0.1, 0.25))
        orders = int(clicks * rng.uniform(0.0004, 0.0024) + rng.random())
        items = orders + int(orders * rng.uniform(0, 0.4))
        figures = {
            "views": views,
            "product_impressions": impressions,
            "product_clicks": clicks,
            "sku_orders": orders,
            "items_sold": items,
            "customers": orders - int(orders * rng.uniform(0, 0.2)),
            "gmv": sum(rng.choice(video.products).price for _ in range(items)),
            "new_followers": int(views * rng.uniform(0, 0.004)),
            "likes": int(views * rng.uniform(0.03, 0.07)) - rng.randrange(2 + video.reach // 2_000),
            "comments": int(views * rng.uniform(0.001, 0.004)) - int(rng.random() < 0.1),
            "shares": int(views * rng.uniform(0.002, 0.008)),
            "favorites": int(views * rng.uniform(0.005, 0.015)) - rng.randrange(2 + video.reach // 10_000),
            "bots": int(rng.random() < 0.2),
        }
        if age > 2 and rng.random() < 0.05:  # accounts that were no people lose what they gave
            figures["likes"] -= video.reach // 100
            figures["shares"] -= video.reach // 1_000
        return figures
