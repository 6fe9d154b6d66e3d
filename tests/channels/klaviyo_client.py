"""Clients of Klaviyo that note their waits instead of making them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.channels.shopify_sandbox import NOW
from tributary.channels.klaviyo.api import KlaviyoApi
from tributary.channels.klaviyo.limits import RATES, Limits
from tributary.http import Budget, HttpClient, Quota, Redactor, RetryPolicy, Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

KEY = "pk_sandbox_aurora_0123456789abcdef"

MakeKlaviyo = Callable[..., KlaviyoApi]


@contextmanager
def klaviyo_clients(url: str, slept: list[float]) -> Iterator[MakeKlaviyo]:
    """Makes clients of the API at this address, and closes them."""
    made: list[KlaviyoApi] = []

    def make(
        *,
        key: str = KEY,
        conversion_metric_id: str | None = None,
        now: Callable[[], datetime] = lambda: NOW,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        quotas: Mapping[str, Quota] | None = None,
        budgets: Mapping[str, Budget] | None = None,
    ) -> KlaviyoApi:
        patient = {group: Budget(rate=1e9, capacity=1e9, sleep=slept.append) for group in RATES}
        limits = Limits(quotas, budgets or patient, now)
        client = HttpClient(
            redact=Redactor([key]),
            budgets=limits.budgets,
            quotas=limits.quotas,
            explain=limits.explain,
            timeouts=timeouts,
            retry=retry,
            sleep=slept.append,
            now=now,
        )
        made.append(KlaviyoApi(client, limits, url, key, conversion_metric_id, now))
        return made[-1]

    yield make
    for api in made:
        api.close()
