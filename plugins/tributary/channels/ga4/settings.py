"""What a connection says, made into the property's API."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tributary.channels.ga4.api import Ga4Api, smoothing
from tributary.channels.ga4.clock import VendorClock
from tributary.channels.ga4.refusals import Refusals
from tributary.channels.ga4.reports import PAGE_SIZE
from tributary.channels.ga4.token import Token, key
from tributary.channels.ga4.transports import TRANSPORTS, google_client
from tributary.http import Redactor, RetryPolicy, Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tributary.http import Budget, Quota

__all__ = ["API_HOST", "TRANSPORTS", "Settings"]

API_HOST = "https://analyticsdata.googleapis.com"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One property, how it is reached and with how much patience."""

    keyfile: str = field(repr=False)
    property_id: str
    host: str = API_HOST
    transport: str = TRANSPORTS[0]
    page_size: int = PAGE_SIZE
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def api(
        self,
        quota: Quota,
        *,
        mask: Callable[[str], None] = lambda secret: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        budget: Budget | None = None,
    ) -> Ga4Api:
        """The property's API. ValueError says what is wrong with the key file. `mask` keeps secrets from logs."""
        credentials = key(self.keyfile)
        secrets = (self.keyfile, str(json.loads(self.keyfile)["private_key"]))
        for secret in secrets:
            mask(secret)
        redact, clock = Redactor(secrets), VendorClock(now)

        def learn(secret: str) -> None:
            redact.add(secret)
            mask(secret)

        token = Token(credentials, clock, learn, self.timeouts.read)
        return Ga4Api(
            google_client(self.transport, self.host, token, clock),
            self.property_id,
            token=token,
            clock=clock,
            quota=quota,
            refusals=Refusals(credentials.service_account_email, self.property_id, clock, self.retry, redact),
            retry=self.retry,
            timeout=self.timeouts.read if self.transport == "rest" else self.timeouts.total,
            budget=budget or smoothing(),
            page_size=self.page_size,
            sleep=sleep,
        )
