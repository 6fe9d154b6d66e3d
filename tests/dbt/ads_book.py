"""Beside a merchant's orders: days of its ad accounts, and exchange rates, which come, change and vanish."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tests.dbt import ads
from tributary.declaration import Page, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.dbt.tiktok import Row
    from tributary.channels.ad_days import AdAccount

EVENTS = {
    "read_day": 20,
    "forget_day": 4,
    "run": 25,
    "lose_campaign_day": 6,
    "forget_campaign": 2,
    "rename": 3,
    "set_account": 2,
    "quote": 12,
    "correct_rate": 4,
    "withhold_rate": 4,
}
"""Each a method of the book, with its weight."""
HISTORY, DAYS = 250, 36
"""As many days as let some become final."""
FIRST = date(2026, 2, 1)
REPORTS = {
    "meta_ads_campaign_days": ("11", "12"),
    "google_ads_campaign_days": ("21",),
    "tiktok_ads_campaign_days": ("31",),
    "tiktok_ads_gmv_max_days": ("31",),
}
"""Each with its ad accounts."""
CAMPAIGNS = 3


class AdsBook:
    """Reports show what there is now; it answers for all platforms as their APIs do."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.happened: Counter[str] = Counter()
        self._shown: dict[str, dict[str, Row]] = defaultdict(dict)
        self._accounts = {
            of: ads.account(of, "CAD" if of == "12" else "USD") for told in REPORTS.values() for of in told
        }
        self._forgotten: set[str] = set()
        self.play(HISTORY)

    def play(self, events: int) -> None:
        """Let that many things happen."""
        for name in self._chance.choices([*EVENTS], [*EVENTS.values()], k=events):
            getattr(self, f"_{name}")()
            self.happened[name] += 1

    def pages(self, table: str) -> Iterator[Page]:
        """What a sync of that stream reads: everything."""
        told = self._shown[table].values()
        yield Page([Record(record_id, at, at, json.dumps(body).encode()) for _, record_id, at, body in told])

    def accounts(self) -> Sequence[AdAccount]:
        """All of them."""
        return [*self._accounts.values()]

    def known(self, account: AdAccount, campaigns: Sequence[str]) -> set[str]:
        """All but those that the platform forgot."""
        return {campaign for campaign in campaigns if campaign not in self._forgotten}

    # What can happen.

    def _read_day(self) -> None:
        table, of = self._report()
        self._show(ads.read(table, self._day(), of))

    def _forget_day(self) -> None:
        self._lose(*self._report(), parts=2)

    def _run(self) -> None:
        table, of = self._report()
        campaign = f"{of.id}{self._chance.randrange(CAMPAIGNS)}{len(self._forgotten)}"
        self._show(self._told(table, self._day(), of, campaign, "Spring"))

    def _lose_campaign_day(self) -> None:
        self._lose(*self._report(), parts=3)

    def _forget_campaign(self) -> None:
        """The platform has no record of it any more; what was spent on it stays."""
        table, of = self._report()
        for campaign in [record_id.split("/")[2] for record_id in self._of(table, of, 3)][:1]:
            self._forgotten.add(campaign)
            for record_id in self._of(table, of, 3):
                if record_id.endswith(f"/{campaign}"):
                    del self._shown[table][record_id]

    def _rename(self) -> None:
        """On the days that are still read."""
        table, of = self._report()
        for record_id in self._of(table, of, 3)[-4:]:
            day, _, campaign = record_id.split("/")
            self._show(self._told(table, day, of, campaign, f"Renamed by ann{self._chance.randrange(9)}@example.com"))

    def _set_account(self) -> None:
        """Days that are read from now on show it so."""
        _, of = self._report()
        currency, zone = self._chance.choice(["USD", "CAD", "EUR"]), self._chance.choice([ads.NEW_YORK, "Asia/Tokyo"])
        self._accounts[of.id] = ads.account(of.id, currency, zone)

    def _quote(self) -> None:
        day = FIRST + timedelta(days=self._chance.randrange(DAYS))
        quoted_on = day - timedelta(days=self._chance.choice([0, 0, 1, 2]))
        cad = {"CAD": f"1.{self._chance.randrange(4000, 5000)}"} if self._chance.random() < 0.9 else {}
        self._show(ads.rates(str(day), str(quoted_on), USD=f"1.0{self._chance.randrange(1, 999):03}", **cad))

    def _correct_rate(self) -> None:
        for day in [*self._shown["fx_rates"]][:2]:
            self._show(ads.rates(day, USD=f"1.1{self._chance.randrange(1, 999):03}", CAD="1.5"))

    def _withhold_rate(self) -> None:
        if self._shown["fx_rates"]:
            del self._shown["fx_rates"][self._chance.choice([*self._shown["fx_rates"]])]

    # Helpers.

    def _told(self, table: str, day: str, of: AdAccount, campaign: str, name: str) -> Row:
        cents = self._chance.randrange(9000)
        if table == "meta_ads_campaign_days":
            return ads.meta(day, of, campaign, f"{cents / 100}", name=name, purchases={"omni_purchase": "2"})
        if table == "google_ads_campaign_days":
            return ads.google(day, of, campaign, cents * 10_007, name=name, conversions=1.5, value=cents / 50)
        show = ads.tiktok if table == "tiktok_ads_campaign_days" else ads.gmv_max
        return show(day, of, campaign, f"{cents / 100}", name=name, orders="1", value="20.5")

    def _report(self) -> tuple[str, AdAccount]:
        table = self._chance.choice([*REPORTS])
        return table, self._accounts[self._chance.choice(REPORTS[table])]

    def _of(self, table: str, of: AdAccount, parts: int) -> list[str]:
        split = (record_id.split("/") for record_id in self._shown[table])
        return ["/".join(found) for found in split if found[1] == of.id and len(found) == parts]

    def _show(self, *rows: Row) -> None:
        for row in rows:
            self._shown[row[0]][row[1]] = row

    def _lose(self, table: str, of: AdAccount, parts: int) -> None:
        if shown := self._of(table, of, parts):
            del self._shown[table][self._chance.choice(shown)]

    def _day(self) -> str:
        return str(FIRST + timedelta(days=self._chance.randrange(DAYS)))
