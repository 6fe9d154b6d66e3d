"""Who may ask, for which accounts; and what else is refused while somebody wants it to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.business.ads import Ads
    from sandbox.business.ads_plans import Account
    from sandbox.world import World

TOKENS = {"tta_sandbox_aurora_0123456789abcdef": "aurora"}
"""The access token -> the merchant whose accounts it opens."""
MESSAGES = {
    40100: "Too many requests by this developer. Please retry in some time.",
    40104: "Access token is empty.",
    40105: "Access token is incorrect or has been revoked.",
    50000: "System error.",
    50002: "Internal service timed out. Please retry in sometime.",
    51010: "Service request timeout, please try again later.",
}
"""What the vendor says with a code."""


class Refused(Exception):  # noqa: N818
    """An answer with a code that is not 0; the vendor sends all of them with HTTP 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Refusal:
    """So many of the next requests are refused."""

    code: int
    message: str
    times: int


class Access:
    """What stands between a request and the accounts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.revoked: set[str] = set()
        self.refusals: list[Refusal] = []
        self.requests = 0
        """How many there were, refused ones included."""

    def enter(self, token: str) -> Ads:
        """The advertising of the merchant that the token belongs to."""
        self.requests += 1
        if self.refusals:
            refusal = self.refusals[0]
            refusal.times -= 1
            if not refusal.times:
                self.refusals.pop(0)
            raise Refused(refusal.code, refusal.message)
        if not token:
            raise Refused(40104, MESSAGES[40104])
        if token not in TOKENS or token in self.revoked:
            raise Refused(40105, MESSAGES[40105])
        shop = self._world.shop(f"{TOKENS[token]}.myshopify.com")
        assert shop is not None
        return shop.ads

    def account(self, ads: Ads, advertiser_id: str) -> Account:
        """One of the merchant's own accounts."""
        for account in ads.accounts("tiktok"):
            if account.account_id == advertiser_id:
                return account
        raise Refused(40001, f"No permission to operate advertiser: {advertiser_id}.")
