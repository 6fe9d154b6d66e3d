"""A merchant's advertising as its platforms tell of it: accounts, campaigns, and what each of their days brought.

A day's figures follow from (seed, campaign, day) and from the shop's orders of that day that came by that platform's
advertisements, of which it claims more than there were. They grow through the day, are restated for weeks after it,
and are final when the platform's days of restatement are over. What is adjusted from outside comes on top.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from sandbox.business.ads_draws import DAY, Claim, Drawn, draw, order_claim
from sandbox.business.ads_plans import ACCOUNTS, PLATFORMS, RESTATED_DAYS, UNIT, Account, Plan

if TYPE_CHECKING:
    from datetime import date

    from sandbox.business.merchants import Merchant
    from sandbox.business.order import Order

SOURCES = {("google", "cpc"): "google", ("facebook", "paid_social"): "meta", ("tiktok", "paid_social"): "tiktok"}
"""Source and medium of a visit -> the platform whose advertisement it came by."""
COUNTERS = ("spend_micros", "impressions", "clicks", "conversions_micros", "value_micros")
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as its platform knows it now."""

    campaign_id: str
    name: str
    kind: str
    """standard or gmv_max"""
    type: str
    created_on: date
    status: str
    """active, paused or deleted"""
    store_id: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A campaign's day; amounts are millionths of the account's currency, conversions millionths of one."""

    day: date
    campaign: Campaign
    spend_micros: int
    impressions: int
    clicks: int
    conversions_micros: int
    value_micros: int


@dataclass(slots=True)
class _Run:
    """A campaign with what became of it."""

    plan: Plan
    account: Account
    name: str
    ended_at: datetime | None = None
    """When it was paused or deleted."""
    deleted: bool = False
    forgotten: bool = False

    def ended(self, now: datetime) -> bool:
        return self.ended_at is not None and self.ended_at <= now


class Ads:
    """Everything that a merchant's ad accounts know."""

    def __init__(self, merchant: Merchant, seed: int, first_day: date) -> None:
        self.merchant = merchant
        self.first_day = first_day
        self._seed = seed
        self._accounts: list[Account] = []
        self._runs: dict[str, _Run] = {}
        for account, plans in ACCOUNTS.get(merchant.merchant_id, ()):
            own = replace(account)
            self._accounts.append(own)
            for plan in plans:
                self._runs[plan.campaign_id] = self._run(plan, own)
        self._ordered: dict[tuple[str, date], list[Claim]] = defaultdict(list)
        """What is claimed of the shop's own orders, by account and its day."""
        self._drawn: dict[tuple[str, date], Drawn] = {}
        self._adjusted: dict[tuple[str, date], dict[str, int]] = {}

    def accounts(self, platform: str) -> list[Account]:
        """The merchant's accounts on a platform."""
        if platform not in PLATFORMS:
            raise LookupError(f"there is no platform {platform!r}; there are {list(PLATFORMS)}")
        return [account for account in self._accounts if account.platform == platform]

    def account(self, account_id: str) -> Account:
        for account in self._accounts:
            if account.account_id == account_id:
                return account
        known = [account.account_id for account in self._accounts]
        raise LookupError(f"{self.merchant.merchant_id} has no ad account {account_id!r}; it has {known}")

    def campaigns(self, account: Account, now: datetime) -> list[Campaign]:
        """All campaigns that the platform knows now: deleted ones, but no forgotten ones."""
        return [
            self._campaign(run, now)
            for run in self._of(account)
            if not run.forgotten and self._created(run.plan) <= account.today(now)
        ]

    def rows(self, account: Account, first: date, last: date, now: datetime) -> list[Row]:
        """The days as they look now, by day and campaign; what had no delivery is left out."""
        return self._rows(account, first, min(last, account.today(now)), now, now)

    def final(self, account: Account, first: date, last: date) -> list[Row]:
        """The days as they will look in the end; of today, as far as its orders are there already."""
        return self._rows(account, first, last, None, datetime.max.replace(tzinfo=UTC))

    def saw(self, order: Order) -> None:
        """An order came in; one platform at most knows that it came by its advertisement."""
        source = order.true_source
        platform = SOURCES.get((source.source.lower(), source.medium)) if source and not order.test else None
        accounts = self.accounts(platform) if platform else []
        if accounts:
            account = accounts[order.id // 10 % len(accounts)]
            day = account.today(order.processed_at)
            second = int((order.processed_at - _begin(account, day)).total_seconds())
            claim = order_claim(self._seed, account.platform, order, second, account.currency)
            self._ordered[account.account_id, day].append(claim)

    def rename(self, campaign_id: str, name: str) -> None:
        """The campaign has another name from now on, on all of its days."""
        self._known(campaign_id).name = name

    def delete(self, campaign_id: str, at: datetime, forget: bool) -> None:
        """The campaign is deleted; a forgotten one the platform has no record of any more."""
        run = self._known(campaign_id)
        if run.ended_at is None or at < run.ended_at:
            run.ended_at = at
        run.deleted = True
        run.forgotten = forget

    def adjust(self, campaign_id: str, day: date, counter: str, by: int, now: datetime) -> None:
        """A day turned out otherwise, from now on."""
        run = self._known(campaign_id)
        if counter not in COUNTERS:
            raise ValueError(f"a campaign's day has no counter {counter!r}; it has {list(COUNTERS)}")
        if not self.first_day <= day <= run.account.today(now):
            raise ValueError(f"there is nothing of {day}: there is from {self.first_day} to {run.account.today(now)}")
        counters = self._adjusted.setdefault((campaign_id, day), dict.fromkeys(COUNTERS, 0))
        counters[counter] += by

    def _known(self, campaign_id: str) -> _Run:
        run = self._runs.get(campaign_id)
        if run is None or run.forgotten:
            known = [one for one, each in self._runs.items() if not each.forgotten]
            raise LookupError(f"{self.merchant.merchant_id} has no campaign {campaign_id!r}; it has {known}")
        return run

    def _run(self, plan: Plan, account: Account) -> _Run:
        """A campaign that ends as planned, at three in the afternoon."""
        ends = plan.deleted if plan.deleted is not None else plan.paused
        at = None
        if ends is not None:
            at = datetime.combine(self.first_day + ends * ONE_DAY, time(15), account.zone).astimezone(UTC)
        return _Run(plan, account, plan.name, at, deleted=plan.deleted is not None)

    def _created(self, plan: Plan) -> date:
        return self.first_day + plan.starts * ONE_DAY

    def _of(self, account: Account) -> list[_Run]:
        return [run for run in self._runs.values() if run.account.account_id == account.account_id]

    def _campaign(self, run: _Run, now: datetime) -> Campaign:
        status = "active" if not run.ended(now) else "deleted" if run.deleted else "paused"
        kind = "gmv_max" if run.plan.store_id else "standard"
        created_on = self._created(run.plan)
        return Campaign(run.plan.campaign_id, run.name, kind, run.plan.type, created_on, status, run.plan.store_id)

    def _rows(self, account: Account, first: date, last: date, seen_at: datetime | None, now: datetime) -> list[Row]:
        found = []
        runs = self._of(account)
        campaigns = {run.plan.campaign_id: self._campaign(run, now) for run in runs}
        day = max(first, self.first_day)
        while day <= last:
            for run in sorted(runs, key=lambda one: one.plan.campaign_id):
                if not run.forgotten:
                    found.append(self._row(run, campaigns[run.plan.campaign_id], day, seen_at))
            day += ONE_DAY
        return [row for row in found if any(getattr(row, counter) for counter in COUNTERS)]

    def _row(self, run: _Run, campaign: Campaign, day: date, seen_at: datetime | None) -> Row:
        """The day as it looks at that time, or in the end."""
        account = run.account
        start, end = _begin(account, day), _begin(account, day + ONE_DAY)
        whole = int((end - start).total_seconds())
        final_at = RESTATED_DAYS[account.platform] * DAY
        elapsed = final_at if seen_at is None else max(0, int((seen_at - start).total_seconds()))
        part = min(elapsed, whole, *([int((run.ended_at - start).total_seconds())] if run.ended_at else []))
        key = run.plan.campaign_id, day
        spend = impressions = clicks = 0
        claims: list[Claim] = []
        if part > 0 and campaign.created_on <= day:
            if key not in self._drawn:
                self._drawn[key] = draw(self._seed, account.platform, run.plan, day)
            drawn = self._drawn[key]
            if drawn.since <= elapsed and (drawn.until is None or elapsed < drawn.until):
                charged, counted = drawn.charged(elapsed)
                unit = UNIT[account.platform]
                spend = drawn.spend * charged * part // whole // 1000 // unit * unit
                impressions = drawn.impressions * part // whole
                clicks = drawn.clicks * counted * part // whole // 1000
                claims = [*drawn.views, *(self._shared(run, day, start) if run.plan.claims else ())]
        shown = [one for one in claims if one.since <= elapsed and (one.until is None or elapsed < one.until)]
        more = self._adjusted.get(key, {})
        return Row(
            day,
            campaign,
            spend + more.get("spend_micros", 0),  # a credit may be more than what was spent
            max(0, impressions + more.get("impressions", 0)),
            max(0, clicks + more.get("clicks", 0)),
            max(0, sum(one.weight for one in shown) + more.get("conversions_micros", 0)),
            max(0, sum(one.value for one in shown) + more.get("value_micros", 0)),
        )

    def _shared(self, run: _Run, day: date, start: datetime) -> list[Claim]:
        """The day's orders, divided between the campaigns that were running and claim any."""
        account = run.account
        running = [
            one.plan.campaign_id
            for one in self._of(account)
            if one.plan.claims
            and not one.plan.store_id
            and self._created(one.plan) <= day
            and (one.ended_at is None or one.ended_at > start)
        ]
        claims = self._ordered[account.account_id, day]
        return [claim for claim in claims if running and running[claim.since % len(running)] == run.plan.campaign_id]


def _begin(account: Account, day: date) -> datetime:
    """When a day begins where the account is."""
    return datetime.combine(day, time(), account.zone).astimezone(UTC)
