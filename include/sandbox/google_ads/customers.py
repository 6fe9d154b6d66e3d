"""The accounts that a merchant's user reaches: directly, or through the manager that has them as its clients."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.google_ads.refusals import Refused

if TYPE_CHECKING:
    from sandbox.business.ads import Ads
    from sandbox.business.ads_plans import Account

DENIED = "authorizationError.USER_PERMISSION_DENIED"


@dataclass(frozen=True, slots=True)
class Customer:
    """An account; a manager has clients instead of campaigns, and its first client's currency and time zone."""

    id: str
    name: str
    account: Account
    """Its own, or the manager's first client's."""
    is_manager: bool = False
    manager_id: str | None = None
    clients: list[Customer] = field(default_factory=list)

    @property
    def status(self) -> str:
        return "ENABLED" if self.is_manager or self.account.status == "active" else "CANCELED"


def customers(ads: Ads) -> dict[str, Customer]:
    """All of a merchant's accounts as they are now, managers first."""
    accounts = [Customer(one.account_id, one.name, one, manager_id=one.manager_id) for one in ads.accounts("google")]
    managers: dict[str, Customer] = {}
    for account in accounts:
        if account.manager_id is not None:
            name = f"{ads.merchant.merchant_id.capitalize()} Manager"
            new = Customer(account.manager_id, name, account.account, is_manager=True)
            managers.setdefault(account.manager_id, new).clients.append(account)
    return managers | {account.id: account for account in accounts}


def reached(customer_id: str, login: str | None, own: dict[str, Customer], others: set[str]) -> Customer:
    """The account that is asked for, when the user gets to it through the one that he logs in to."""
    if not re.fullmatch(r"\d{1,10}", customer_id):
        raise Refused("requestError.INVALID_CUSTOMER_ID", f"Invalid customer ID '{customer_id}'.")
    if login is not None and not re.fullmatch(r"\d{1,10}", login):
        raise Refused("headerError.INVALID_LOGIN_CUSTOMER_ID")
    if customer_id not in own:
        raise Refused(DENIED if customer_id in others else "authenticationError.CUSTOMER_NOT_FOUND")
    customer = own[customer_id]
    if (login or customer_id) != (customer.manager_id or customer_id):
        raise Refused(DENIED)
    if customer.status != "ENABLED":
        raise Refused("authorizationError.CUSTOMER_NOT_ENABLED")
    return customer
