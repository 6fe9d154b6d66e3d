"""How much an account may be asked in an hour, and the headers in which answers tell how much of it is used up."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sandbox.meta_ads.refusals import Refused

if TYPE_CHECKING:
    from datetime import datetime

HOUR = timedelta(hours=1)
HOURLY = 190_000
"""Calls an hour of an app with full access; the vendor adds 400 for each active ad."""
TIER = "standard_access"
LIMITS: dict[int, tuple[str, int | None, int]] = {
    4: ("(#4) Application request limit reached", 1504022, 403),
    17: ("(#17) User request limit reached", 2446079, 400),
    613: ("(#613) Calls to this api have exceeded the rate limit.", 1487742, 400),
    80000: ("(#80000) There have been too many calls from this ad-account. Wait a bit and try again.", 2446079, 400),
    80003: ("(#80003) There have been too many calls from this ad-account. Wait a bit and try again.", 2446079, 400),
    80004: ("(#80004) There have been too many calls to this ad-account. Wait a bit and try again.", 2446079, 400),
}
"""What is said when the limit is reached: the message, the subcode, and the HTTP status."""


@dataclass(slots=True)
class Usage:
    """An account's hour, which begins with its first call and passes by the world's clock."""

    account_id: str
    until: datetime | None = None
    calls: int = 0
    hourly: int = HOURLY
    code: int = 80000
    """What is said when it is used up."""
    tells_minutes: bool = True
    """Whether the headers say when there will be access again."""

    def percent(self, now: datetime) -> int:
        self._pass(now)
        return min(100, self.calls * 100 // self.hourly)

    def minutes(self, now: datetime) -> int:
        """Until there is access again; 0 as long as there is."""
        if self.percent(now) < 100 or self.until is None:
            return 0
        return math.ceil((self.until - now) / timedelta(minutes=1))

    def take(self, now: datetime) -> None:
        """Count a call; refuse it when nothing is left."""
        if self.percent(now) >= 100:
            message, subcode, status = LIMITS[self.code]
            raise Refused(
                self.code,
                message,
                status=status,
                subcode=subcode,
                kind="OAuthException",
                is_transient=self.code == 4,
                title="Ad account has too many API calls",
                advice="There have been too many calls from this ad account. Please wait a bit and try again.",
            )
        self.until = self.until or now + HOUR
        self.calls += 1

    def headers(self, now: datetime, kind: str) -> dict[str, str]:
        """`kind` is the business use case that the call was counted for: ads_insights or ads_management."""
        percent, minutes = self.percent(now), self.minutes(now) if self.tells_minutes else 0
        case = {
            "type": kind,
            "call_count": percent,
            "total_cputime": percent // 2,
            "total_time": percent // 2,
            "estimated_time_to_regain_access": minutes,
            "ads_api_access_tier": TIER,
        }
        throttle = {"app_id_util_pct": 0, "acc_id_util_pct": percent, "ads_api_access_tier": TIER}
        account = {"acc_id_util_pct": percent, "reset_time_duration": minutes * 60, "ads_api_access_tier": TIER}
        told = {
            "X-Business-Use-Case-Usage": {self.account_id: [case]},
            "x-fb-ads-insights-throttle": throttle,
            "X-Ad-Account-Usage": account,
        }
        return {name: json.dumps(value) for name, value in told.items()}

    def _pass(self, now: datetime) -> None:
        if self.until is not None and now >= self.until:
            self.until, self.calls = None, 0
