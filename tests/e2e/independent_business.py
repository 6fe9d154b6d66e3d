"""A second opinion on a merchant: all that its vendors tell, read once and put together.

It shares nothing with the project: no import, no query, no SQL.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from tests.e2e.independent import Shop
from tests.e2e.independent_ads import bank_rates
from tests.e2e.independent_claims import Claims
from tests.e2e.independent_clicks import last_clicks
from tests.e2e.independent_credits import shares
from tests.e2e.independent_customers import Customers
from tests.e2e.independent_funnel import website_visits
from tests.e2e.independent_ga4 import Property
from tests.e2e.independent_journeys import judged
from tests.e2e.independent_klaviyo import Account
from tests.e2e.independent_money import amount
from tests.e2e.independent_orders import shopify_orders, tiktok_orders
from tests.e2e.independent_settings import Settings
from tests.e2e.independent_touches import mail_clicks, sessions, touches_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from decimal import Decimal

    from tests.e2e.independent_claims import Claim, Days
    from tests.e2e.independent_clicks import Credit
    from tests.e2e.independent_credits import Share
    from tests.e2e.independent_funnel import Visits
    from tests.e2e.independent_journeys import Judged
    from tests.e2e.independent_orders import Order
    from tests.e2e.independent_tiktok import TikTokShop
    from tests.e2e.independent_touches import Touches


@dataclass
class Business:
    """All that is known of a merchant."""

    settings: Settings
    orders: list[Order]
    customers: Customers
    touches: Touches
    claims: Days
    visits: Visits

    def __post_init__(self) -> None:
        self.placed: dict[date, list[Order]] = defaultdict(list)
        for order in self.orders:
            self.placed[self.day(order.at)].append(order)
        self.credits: dict[tuple[str, str], Credit] = last_clicks(self.orders, self.touches)
        self.clicked: dict[tuple[date, str], list[Order]] = defaultdict(list)
        """By day and channel: the counted orders that it was clicked last for."""
        for order in self.orders:
            if order.is_counted:
                self.clicked[self.day(order.at), self.credits[order.key].channel.name].append(order)

    def day(self, at: datetime) -> date:
        return at.astimezone(self.settings.zone).date()

    def day_ends(self, at: datetime) -> datetime:
        return datetime.combine(self.day(at) + timedelta(days=1), time(), self.settings.zone)

    @cached_property
    def judged(self) -> dict[tuple[str, str], list[Judged]]:
        """The touches that were looked at for each counted order."""
        return {
            order.key: judged(order, self.touches.of(order), self.day_ends(order.at))
            for order in self.orders
            if order.is_counted
        }

    @cached_property
    def shares(self) -> list[Share]:
        """What each model credits."""
        return shares(self)

    def counted(self, on: date) -> list[Order]:
        return [order for order in self.placed.get(on, ()) if order.is_counted]

    def revenue(self, orders: Iterable[Order]) -> Fraction:
        return sum((order.revenue(self.settings.includes_tax) for order in orders), start=Fraction(0))

    def worth(self, order: Order) -> Decimal:
        return amount(self.revenue([order]))

    def new(self, orders: Iterable[Order]) -> int:
        """How many of the orders brought a new customer."""
        return sum(map(self.customers.is_new, orders))

    def spent(self) -> dict[tuple[date, str], Claim]:
        """The days of ad platforms."""
        return {key: claim for key, claim in self.claims.items() if claim.spend is not None}


def read(env: Mapping[str, str], merchant: str, first: date, now: datetime, tiktok: TikTokShop | None) -> Business:
    """Everything since the first day, as the vendors tell it now."""
    settings = Settings.of(merchant)
    own = tiktok_orders(tiktok) if tiktok else []
    shop = Shop(env[f"SHOPIFY_{merchant.upper()}_HOST"], env[f"SHOPIFY_{merchant.upper()}_TOKEN"])
    orders = [*shopify_orders(shop, {order.id for order in own}), *own]
    customers = Customers.of(orders)
    claims = Claims(settings.zone, settings.currency, now, first)
    claims.advertising(env, merchant, bank_rates(f"{env['SANDBOX_URL']}/ecb", first - timedelta(days=6)))
    mails, origins = [], {}
    visits: Visits = {}
    named, zone = merchant.upper(), settings.zone.key
    if key := env.get(f"KLAVIYO_{named}_API_KEY"):
        account = Account(env[f"KLAVIYO_{named}_API_HOST"], key)
        mails = list(mail_clicks(account))
        claims.messages(account, zone)
    if keyfile := env.get(f"GA4_{named}_KEYFILE"):
        website = Property(env["SANDBOX_URL"], keyfile, env[f"GA4_{named}_PROPERTY_ID"])
        origins = sessions(website, str(first), str(claims.today(zone)))
        claims.website(website, zone)
        visits = website_visits(website, first, claims.today(zone))
    if tiktok:
        claims.marketplace(tiktok, zone)
    touches = touches_of(orders, customers, settings, mails, origins)
    return Business(settings, orders, customers, touches, claims.days, visits)
