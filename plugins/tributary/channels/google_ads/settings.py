"""What a connection says, made into the API of its accounts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tributary.channels.google_ads.api import GoogleAdsApi, smoothing
from tributary.channels.google_ads.refusals import Refusals
from tributary.channels.google_ads.token import AccessToken, Secrets, explain
from tributary.channels.google_ads.transport import google_client
from tributary.http import Budget, HttpClient, Redactor, RetryPolicy, Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tributary.http import Quota

API_HOST = "https://googleads.googleapis.com"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
LONGEST_ANSWER = 64 * 1024 * 1024
"""Bytes; Google's own client allows as many."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Whose accounts are read, how they are reached and with how much patience."""

    secrets: Secrets
    customer_ids: Sequence[str]
    login_customer_id: str = ""
    """The manager account that they are reached through."""
    developer_token: str = field(default="", repr=False)
    host: str = API_HOST
    token_uri: str = TOKEN_URI
    longest_answer: int = LONGEST_ANSWER
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
    ) -> GoogleAdsApi:
        """The accounts' API; `mask` keeps secrets from logs."""
        redact = Redactor()

        def learn(secret: str) -> None:
            redact.add(secret)
            mask(secret)

        for secret in (self.secrets.client_secret, self.secrets.refresh_token, self.developer_token):
            if secret:
                learn(secret)
        http = HttpClient(
            redact=redact,
            budgets={"token": smoothing()},
            explain=explain,
            timeouts=self.timeouts,
            retry=self.retry,
            sleep=sleep,
            now=now,
        )
        token = AccessToken(http, self.token_uri, self.secrets, now, learn)
        headers = {"developer-token": self.developer_token, "login-customer-id": self.login_customer_id}
        sent = {name: value for name, value in headers.items() if value}
        return GoogleAdsApi(
            google_client(self.host, token, sent, self.longest_answer),
            self.customer_ids,
            token=token,
            quota=quota,
            refusals=Refusals(self.retry, redact, token.now),
            retry=self.retry,
            timeout=self.timeouts.total,
            budget=budget or smoothing(),
            sleep=sleep,
        )
