"""Incremental equals full: after each of ten runs of twenty random events a merchant, every mart is compared, row for
row, with a rebuild that knows no scope.

Each seed is a merchant of its own, so that all seeds go through the same runs of the real loader, scope, dbt and
publication. To play more of them: `TRIBUTARY_PROOF_SEEDS=200 pytest tests/dbt/test_scope_proof.py -k equals_full`.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, LiteralString

import pytest
from psycopg import sql

from tests.dbt import ads_book, catalogue_book, reports_book, tiktok_book, touches_book
from tests.dbt.order_book import EVENTS, OPENED, Book
from tests.dbt.road import of_table, open_road, read_whole
from tributary.channels.fx.streams import FX
from tributary.channels.ga4.streams import GA4
from tributary.channels.google_ads.streams import GOOGLE_ADS
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.channels.meta_ads.streams import META_ADS
from tributary.channels.shopify.streams import SHOPIFY
from tributary.channels.tiktok_ads.streams import TIKTOK_ADS
from tributary.channels.tiktok_organic.streams import TIKTOK_ORGANIC
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP
from tributary.warehouse import touched
from tributary.warehouse.settings.files import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from tests.dbt.conftest import Dbt
    from tests.dbt.road import Difference, Road
    from tributary.declaration import Page
    from tributary.warehouse.settings.files import Row

SEEDS = int(os.environ.get("TRIBUTARY_PROOF_SEEDS", "12"))
RUNS = 10
EVENTS_A_RUN = 20

_COVERAGE = """
select
    (select count(*) from build.scope where merchant_id = any(%(merchants)s)),
    (select count(*) from marts.fct_daily_metrics where merchant_id = any(%(merchants)s))
"""
_LEDGER_RULES = "select distinct rule from marts.fct_attribution_ledger where merchant_id = any(%(merchants)s)"
_MOST_OUTSIDE = """
select max(touches)
from (
    select count(*) as touches
    from marts.fct_attribution_ledger
    where rule in ('too_old', 'after_order') and merchant_id = any(%(merchants)s)
    group by merchant_id, sales_channel, order_id
) as orders
"""
LEDGER_RULES = {
    "click",
    "native",
    "native_sale",
    "ga4_session",
    "after_order",
    "too_old",
    "direct",
    "same_visit",
    "same_click",
    "click_known",
}
"""All but those of settings that no merchant here has."""


def _told(book: Book, start: datetime, end: datetime) -> Iterator[Page]:
    return book.pages()


ORDERS = replace(SHOPIFY.stream("orders"), changed=_told, history=None, slice_length=timedelta(days=1_000))
TIKTOK = [
    (
        channel,
        replace(
            stream,
            changed=of_table(f"{channel.name}_{stream.name}"),
            history=None,
            unfinished=None,
            slice_length=timedelta(days=1_000),
        ),
    )
    for channel in (TIKTOK_SHOP, TIKTOK_ORGANIC)
    for stream in channel.streams
    if stream.name not in stream.quiet | {"products"}
]


REPORTS = [
    *read_whole(GA4, "days", "sessions", "funnel_events"),
    *read_whole(KLAVIYO, "days", "campaign_values", "flow_values"),
]
TOUCHES = [*read_whole(KLAVIYO, "profiles", "events"), *read_whole(GA4, "transactions")]
CATALOGUE = [*read_whole(SHOPIFY, "products"), *read_whole(TIKTOK_SHOP, "products")]
ADS = [
    *read_whole(META_ADS, "campaign_days"),
    *read_whole(GOOGLE_ADS, "campaign_days"),
    *read_whole(TIKTOK_ADS, "campaign_days", "gmv_max_days"),
    *read_whole(FX, "rates"),
]

SOURCES: list[Row] = [
    ("google", "cpc", "google_ads", True, "google_ads"),
    ("facebook", "paid_social", "meta_ads", True, "meta_ads"),
    ("*", "organic", "organic_search", False, None),
    ("klaviyo", "*", "email", False, None),
    ("*", "sms", "sms", False, None),
    ("*", "referral", "referral", False, None),
    ("direct", "none", "direct", False, None),
    ("tiktok_shop", "*", "tiktok_shop", False, None),
]
OTHER_SOURCES: list[Row] = [
    *SOURCES[1:],
    ("google", "cpc", "paid_other", True, None),
    ("*", "qr", "other", False, None),
]
REFERRERS: list[Row] = [("google.com", "google", "organic"), ("facebook.com", "facebook", "social")]


class Play:
    """Books whose vendors' tales go the road; a run lets twenty things happen to each and publishes them."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._runs = 0
        self._known: dict[str, Book] = {}
        self.sources = SOURCES

    def run(self, books: Sequence[Book]) -> set[str]:
        """The merchants that could not be published."""
        self._runs += 1
        now = OPENED + timedelta(days=self._runs)
        for book in books:
            book.play(EVENTS_A_RUN)
            self._road.sync(book, book.merchant_id, [(SHOPIFY, ORDERS)], OPENED, now)
            if book.tiktok:
                self._road.sync(book.tiktok, book.merchant_id, TIKTOK, OPENED, now)
            for beside, streams in (
                (book.reports, REPORTS),
                (book.ads, ADS),
                (book.touches, TOUCHES),
                (book.catalogue, CATALOGUE),
            ):
                if beside:
                    self._road.sync(beside, book.merchant_id, streams, reports_book.BEGAN, now)
            self._known[book.merchant_id] = book
        return self._road.publish(self._settings()).refused

    def differences(self, books: Sequence[Book]) -> list[Difference]:
        """What a full rebuild shows otherwise."""
        return self._road.differences([book.merchant_id for book in books])

    def coverage(self, books: Sequence[Book]) -> tuple[int, int]:
        """The days that the last run computed, and all that are published."""
        [(computed, published)] = self._ask(_COVERAGE, books)
        return computed, published

    def ledger_rules(self, books: Sequence[Book]) -> set[str]:
        """What the ledger says of the touches of some order."""
        return {rule for (rule,) in self._ask(_LEDGER_RULES, books)}

    def most_outside(self, books: Sequence[Book]) -> int:
        """How many touches out of the window the ledger tells of an order at most."""
        [(touches,)] = self._ask(_MOST_OUTSIDE, books)
        return touches

    def _ask(self, query: LiteralString, books: Sequence[Book]) -> list[tuple[Any, ...]]:
        merchants = {"merchants": [book.merchant_id for book in books]}
        return self._road.conn.execute(query, merchants).fetchall()

    def _settings(self) -> Settings:
        known = self._known.values()
        costs: list[Row] = [
            (book.merchant_id, sku, str(valid_from), cost)
            for book in known
            for (sku, valid_from), cost in (book.costs or {}).items()
        ]
        return Settings([book.merchant for book in known], costs, self.sources, REFERRERS, [])


@pytest.fixture(scope="module")
def play(module_warehouse_url: str, dbt: Dbt, dbt_target: Path) -> Iterator[Play]:
    with open_road(module_warehouse_url, dbt, dbt_target) as road:
        yield Play(road)


@pytest.mark.timeout(300 + 20 * SEEDS)
def test_incremental_equals_full(play: Play) -> None:
    books = [Book(f"seed_{seed}", seed) for seed in range(SEEDS)]
    for run in range(1, RUNS + 1):
        play.sources = SOURCES if run < RUNS // 2 else OTHER_SOURCES
        refused = play.run(books)
        assert not refused, f"run {run}"
        differences = play.differences(books)
        assert not differences, f"run {run}, {len(differences)} rows: {differences[:10]}"
    # It says something only if the runs computed parts, and if everything that can happen did.
    computed, published = play.coverage(books)
    assert 0 < computed < published
    assert play.ledger_rules(books) == LEDGER_RULES
    assert play.most_outside(books) == 20
    assert sum((book.happened for book in books), Counter()).keys() == EVENTS.keys()
    for kind, events in (
        ("tiktok", tiktok_book.EVENTS),
        ("reports", reports_book.EVENTS),
        ("ads", ads_book.EVENTS),
        ("touches", touches_book.EVENTS),
        ("catalogue", catalogue_book.EVENTS),
    ):
        beside = [beside for book in books if (beside := getattr(book, kind))]
        assert sum((each.happened for each in beside), Counter()).keys() == events.keys()


# The rules of the scope, and how each is taken away from the merchants that are named after it: a constant of the
# module, and what replaces what in it.
RULES = {
    "old_day": ("_OWN_TIMES", "(claimed.old_event_at)", "(case when claimed.{others} then claimed.old_event_at end)"),
    "new_day": ("_OWN_TIMES", "(claimed.new_event_at)", "(case when claimed.{others} then claimed.new_event_at end)"),
    "children": ("_CHILDREN_OF_CHANGED", "claimed.stream = {stream}", "claimed.stream = {stream} and claimed.{others}"),
    "parents": (
        "_PARENTS_OF_CHANGED",
        "claimed.stream = {child_stream}",
        "claimed.stream = {child_stream} and claimed.{others}",
    ),
    "parts": (
        "_PARENTS_OF_CHANGED",
        "claimed.stream = {child_stream}",
        "claimed.stream = {child_stream} and ({child_stream} <> 'visits' or claimed.{others})",
    ),
    "reached": ("_DAYS_REACHED", "claimed.stream = {stream}", "claimed.stream = {stream} and claimed.{others}"),
    "old_identities": (
        "_IDENTITIES_OF_CHANGED",
        "claimed.old_payload is not null",
        "claimed.old_payload is not null and claimed.{others}",
    ),
    "new_identities": (
        "_IDENTITIES_OF_CHANGED",
        "claimed.stream = {stream}\n) as version",
        "claimed.stream = {stream} and claimed.{others}\n) as version",
    ),
    "profiles": (
        "_IDENTITIES_OF_CHANGED",
        "where {identity} is not null",
        "where {identity} is not null and ({stream} <> 'profiles' or version.{others})",
    ),
    "transactions": (
        "_IDENTITIES_OF_CHANGED",
        "where {identity} is not null",
        "where {identity} is not null and ({stream} <> 'transactions' or version.{others})",
    ),
    "first_hop": (
        "_IDENTITIES_OF_LINKED",
        "linked.kind = {kind}",
        "linked.kind = {kind} and ({hop} <> 1 or linked.{others})",
    ),
    "second_hop": (
        "_IDENTITIES_OF_LINKED",
        "linked.kind = {kind}",
        "linked.kind = {kind} and ({hop} <> 2 or linked.{others})",
    ),
    "linked_days": ("_TIMES_OF_LINKED", "linked.kind = {kind}", "linked.kind = {kind} and linked.{others}"),
    "linked_children": ("_CHILDREN_OF_LINKED", "linked.kind = {kind}", "linked.kind = {kind} and linked.{others}"),
    "next_readings": (
        "_NEXT_SNAPSHOTS",
        "claimed.stream = {stream}",
        "claimed.stream = {stream} and claimed.{others}",
    ),
    "made_final": (
        "_DAYS_MADE_FINAL",
        "claimed.stream = {stream}",
        "claimed.stream = {stream} and claimed.{others}",
    ),
    "restated": ("_TABLES", "where operation = 'settings'", "where operation = 'settings' and {others}"),
}
OF_CLICKS = (14, 20, 26, 32)
SELDOM = {
    "reached": OF_CLICKS,
    "profiles": OF_CLICKS,
    "transactions": OF_CLICKS[:2],
    "second_hop": (20,),
    "made_final": (3, 11),
    "restated": (20,),
}
"""Rules that are seldom needed, with more seeds that need them."""


@pytest.mark.timeout(600)
def test_the_proof_notices_a_missing_rule(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    for rule, (constant, old, new) in RULES.items():
        statement = getattr(touched, constant)
        text = statement if isinstance(statement, str) else statement.as_string(None)
        assert text.count(old) == 1, rule
        text = text.replace(old, new.replace("{others}", f"merchant_id not like '{rule}%'"))
        monkeypatch.setattr(touched, constant, text if isinstance(statement, str) else sql.SQL(text))
    # Two merchants or more without each rule, until one is noticed. Most seeds are even, because refunds come apart
    # then; of 10 there is TikTok Shop.
    books = {rule: [Book(f"{rule}_{seed}", seed) for seed in (8, 10, *SELDOM.get(rule, ()))] for rule in RULES}
    missing = dict(books)
    for _ in range(2 * RUNS):
        playing = [book for of_rule in missing.values() for book in of_rule]
        noticed = play.run(playing) | {difference.merchant_id for difference in play.differences(playing)}
        missing = {rule: of_rule for rule, of_rule in missing.items() if not noticed & {b.merchant_id for b in of_rule}}
        if not missing:
            break
    assert not missing, sorted(missing)
