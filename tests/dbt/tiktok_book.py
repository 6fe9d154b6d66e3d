"""Beside a merchant's orders in Shopify: sales on TikTok Shop, copied there, and readings of its videos."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from tests.dbt import tiktok
from tributary.declaration import Page, Record

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from tests.dbt.tiktok import Payload, Row

OPENED = datetime(2027, 1, 1, tzinfo=UTC)
"""When the first version of anything is told; each later one is a minute newer."""
EVENTS = {
    "sell": 12,
    "forget_sale": 4,
    "return_unit": 10,
    "cancel_unit": 6,
    "settle_sale": 12,
    "measure_shop": 8,
    "list_video": 5,
    "measure_video": 10,
    "count_saves": 6,
}
"""Each a method of the book, with its weight."""
HISTORY, SALES, BUYERS, SETTLED, MEASURED_DAYS, VIDEOS = 100, 25, 8, 60, 12, 3
FIRST_MEASURED = date(2026, 3, 1)


class TikTokBook:
    """Its sales have few ids, so that a copy in Shopify may come first, and a sale may be there again."""

    def __init__(self, chance: random.Random, moment: Callable[[], str]) -> None:
        self._chance = chance
        self._moment = moment
        self.happened: Counter[str] = Counter()
        self._told: dict[str, list[Record]] = defaultdict(list)
        self._gone: set[str] = set()
        self._sold: dict[str, Row] = {}
        self._versions = 0
        self.play(HISTORY)

    def play(self, events: int) -> None:
        """Let that many things happen."""
        for name in self._chance.choices([*EVENTS], [*EVENTS.values()], k=events):
            getattr(self, f"_{name}")()
            self.happened[name] += 1

    def copied(self) -> list[str]:
        """The tags of an order in Shopify: often they name an order that was placed, or will be."""
        return [f"TikTokOrderID:T{self._chance.randrange(SALES)}"] if self._chance.random() < 0.5 else []

    def pages(self, table: str) -> Iterator[Page]:
        """What a sync of that stream reads."""
        told, self._told[table] = self._told[table], []
        newest = {record.record_id: record for record in told}
        yield Page(tuple(newest.values()))
        if table == "tiktok_shop_orders":
            yield Page((), gone=sorted(self._gone))
            self._gone.clear()

    # What can happen.

    def _sell(self) -> None:
        order_id = f"T{self._chance.randrange(SALES)}"
        units = [
            tiktok.unit(str(number), self._price(), platform=self._chance.choice(["0", "0.50"]))
            for number in range(1, self._chance.randint(2, 4))
        ]
        flags = {self._chance.choice(["is_sample_order", "is_replacement_order"]): self._chance.random() < 0.1}
        self._sold[order_id] = tiktok.order(
            order_id,
            self._time(),
            *units,
            buyer=f"u{self._chance.randrange(BUYERS)}",
            status=self._chance.choice(["COMPLETED", "COMPLETED", "DELIVERED", "CANCELLED"]),
            paid=self._chance.random() < 0.9,
            shipping=self._price(),
            **flags,
        )
        self._gone.discard(order_id)
        self._tell(self._sold[order_id])

    def _forget_sale(self) -> None:
        if self._sold:
            table, order_id, *_ = self._sold.pop(self._chance.choice([*self._sold]))
            self._told[table] = [record for record in self._told[table] if record.record_id != order_id]
            self._gone.add(order_id)

    def _return_unit(self) -> None:
        number = self._chance.randrange(30)
        sale = f"T{number % SALES}"
        status = self._chance.choice(["RETURN_OR_REFUND_REQUEST_COMPLETE", "RETURN_OR_REFUND_REQUEST_PENDING"])
        kind = self._chance.choice(["REFUND", "RETURN_AND_REFUND", "REPLACEMENT"])
        following = self._chance.choice(["", "", "R1"])
        amounts = {"platform": "0.50", "shipping": self._chance.choice(["0", "1.00"])}
        self._tell(
            tiktok.returned(
                f"R{number}",
                sale,
                self._time(),
                self._price(),
                kind=kind,
                status=status,
                following=following,
                **amounts,
            )
        )

    def _cancel_unit(self) -> None:
        number = self._chance.randrange(20)
        status = self._chance.choice(["CANCELLATION_REQUEST_COMPLETE", "CANCELLATION_REQUEST_PENDING"])
        self._tell(
            tiktok.cancelled(f"C{number}", f"T{number % SALES}", self._time(), self._price(), "1", status=status)
        )

    def _settle_sale(self) -> None:
        number = self._chance.randrange(SETTLED)
        refunded = self._chance.choice(["0", "-5.00"])
        self._tell(tiktok.settled(f"S{number}", self._time(), f"T{number % SALES}", self._price(), refunded=refunded))

    def _measure_shop(self) -> None:
        self._tell(tiktok.shop_day(self._measured_day(), gmv=self._price()))

    def _list_video(self) -> None:
        posted = f"{self._measured_day()}T{self._chance.randrange(24):02}:00:00Z"
        self._tell(tiktok.listed(self._video(), self._measured_day(), posted=posted))

    def _measure_video(self) -> None:
        likes, comments, shares = (self._chance.randrange(100) for _ in range(3))
        self._tell(tiktok.counted(self._video(), self._measured_day(), likes, comments, shares))

    def _count_saves(self) -> None:
        favorites = self._chance.choice([None, *range(20)])
        posted = f"{self._measured_day()}T{self._chance.randrange(24):02}:00:00"
        self._tell(tiktok.saved(self._video(), self._measured_day(), favorites, posted=posted))

    # Helpers.

    def _price(self) -> str:
        return f"{self._chance.randint(1, 60)}.{self._chance.randrange(100):02}"

    def _time(self) -> str:
        return self._moment()[:19]

    def _video(self) -> str:
        return str(7 + self._chance.randrange(VIDEOS))

    def _measured_day(self) -> str:
        return str(FIRST_MEASURED + timedelta(days=self._chance.randrange(MEASURED_DAYS)))

    def _tell(self, row: Row) -> None:
        table, record_id, at, body = row
        self._versions += 1
        self._told[table].append(_record(record_id, at, self._versions, body))


def _record(record_id: str, at: datetime, version: int, body: Payload) -> Record:
    return Record(record_id, at, OPENED + timedelta(minutes=version), json.dumps(body).encode())
