"""The scripted vendor, fake time, and clients that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.http.scripted_vendor import FakeTime, MakeClient, Vendor, scripted_vendor
from tributary.http import Budget, HttpClient, HttpError, Quota, Redactor, Response, RetryPolicy, Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor on a free port."""
    with scripted_vendor() as vendor:
        yield vendor


@pytest.fixture
def time() -> FakeTime:
    """Time under the test's control."""
    return FakeTime()


@pytest.fixture
def make_client(time: FakeTime) -> Iterator[MakeClient]:
    """Clients that never really wait, closed at the end."""
    made: list[HttpClient] = []

    def make(
        *secrets: str,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        budget: Budget | None = None,
        quota: Quota | None = None,
        remedies: dict[int, str] | None = None,
        explain: Callable[[Response, float | None], HttpError | None] | None = None,
        clock: Callable[[], float] | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> HttpClient:
        client = HttpClient(
            redact=Redactor(secrets),
            budgets={"any": budget or Budget(rate=1e9, capacity=1e9, clock=time.clock, sleep=time.sleep)},
            quotas={"any": quota} if quota else None,
            remedies=remedies,
            timeouts=timeouts or Timeouts(connect=5, read=5, total=5),
            retry=retry,
            clock=clock or time.clock,
            sleep=time.sleep,
            **({"now": now} if now else {}),
            **({"explain": explain} if explain else {}),
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
