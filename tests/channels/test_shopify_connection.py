"""Tokens, versions, refusals, and what the Test button says about each."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.shopify_sandbox import SCOPES
from tributary.channels.shopify.api import ShopifyApi, budgets
from tributary.channels.shopify.diagnosis import diagnose
from tributary.channels.shopify.refusals import GraphQLError, refused
from tributary.channels.shopify.token import ClientCredentials, StaticToken
from tributary.http import (
    AuthError,
    Budget,
    HttpClient,
    HttpError,
    RateLimited,
    Redactor,
    Request,
    RequestRefused,
    Response,
    RetryPolicy,
    VendorUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from shopify_sandbox import MakeApi, Sandbox

    from tributary.channels.answer import Answer


def issue(sandbox: Sandbox, *scopes: str) -> StaticToken:
    return StaticToken(sandbox.admin("/shops/aurora/tokens", {"scopes": list(scopes)})["access_token"])


def test_a_good_connection_shows_the_shop(make_api: MakeApi) -> None:
    works, message = diagnose(make_api("nordlicht"))
    assert works
    assert "time zone Europe/Berlin, currency EUR, API version 2026-10" in message
    assert "Without" not in message


def test_a_wrong_token_names_the_remedy_and_not_the_token(make_api: MakeApi) -> None:
    works, message = diagnose(make_api(token=StaticToken("shpat_wrong_wrong_wrong")))
    assert not works
    assert "HTTP 401" in message
    assert "connection's password" in message
    assert "wrong_wrong" not in message


def test_a_missing_scope_is_named(sandbox: Sandbox, make_api: MakeApi) -> None:
    works, message = diagnose(make_api(token=issue(sandbox, "read_customers")))
    assert not works
    assert "lacks the access scope read_orders" in message


@pytest.mark.parametrize(
    ("scope", "consequence"),
    [
        ("read_all_orders", "shows only the last 60 days of orders"),
        ("read_customers", "the stream customers cannot be read"),
        ("read_products", "the stream products cannot be read"),
        ("read_inventory", "the cost of variants stays unknown"),
        ("read_reports", "control totals compare the number of orders only"),
    ],
)
def test_a_token_without_an_optional_scope_works_and_the_test_says_what_will_be_missing(
    scope: str, consequence: str, sandbox: Sandbox, make_api: MakeApi
) -> None:
    works, message = diagnose(make_api(token=issue(sandbox, *(SCOPES - {scope}))))
    assert works
    assert re.findall(r"Without the access scope (\w+) ", message) == [scope]
    assert consequence in message
    assert message.endswith(".")
    assert "  " not in message


def test_a_filter_that_shopify_ignores_is_warned_of_once(make_api: MakeApi, caplog: pytest.LogCaptureFixture) -> None:
    api = make_api()
    for _ in range(2):
        api.execute("Orders", {"query": "happened_at:>'2026-11-01'", "sortKey": "UPDATED_AT", "first": 1})
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "ignores 'happened_at' in the search \"happened_at:>'2026-11-01'\"" in record.getMessage()


def test_a_shop_that_is_not_there(sandbox: Sandbox) -> None:
    client = HttpClient(redact=Redactor(), budgets=budgets(), retry=RetryPolicy(attempts=1))
    works, message = diagnose(ShopifyApi(client, f"{sandbox.url}/shopify/none.myshopify.com", StaticToken("t")))
    assert not works
    assert "HTTP 404" in message
    works, message = diagnose(ShopifyApi(client, "http://127.0.0.1:1", StaticToken("t")))
    client.close()
    assert not works
    assert "Check the host name" in message


def test_a_version_that_fell_forward_is_told_and_warned_once(
    make_api: MakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    api = make_api(version="2024-01")
    works, message = diagnose(api)
    assert works
    assert "Version 2024-01 was asked for" in message
    assert f"API version {api.served_version}" in message
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "2024-01" in warnings[0].getMessage()


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("THROTTLED", RateLimited, "refills"),
        ("ACCESS_DENIED", AuthError, "access scope"),
        ("SHOP_INACTIVE", RequestRefused, "reopen"),
        ("MAX_COST_EXCEEDED", RequestRefused, "PAGE_SIZE"),
        ("undefinedField", RequestRefused, "API version"),
        ("INTERNAL_SERVER_ERROR", VendorUnavailable, "INTERNAL_SERVER_ERROR"),
        ("SOMETHING_ELSE", RequestRefused, "SOMETHING_ELSE"),
    ],
)
def test_errors_on_http_200_are_told_apart(code: str, error: type[HttpError], words: str) -> None:
    told = refused([GraphQLError("It says so", {"code": code})], "POST /graphql", 2.5)
    assert type(told) is error
    assert words in str(told)
    assert "It says so" in str(told)
    assert "POST /graphql" in str(told)
    if isinstance(told, RateLimited):
        assert told.retry_after == 2.5


def test_a_denied_field_fails_at_once(sandbox: Sandbox, make_api: MakeApi, slept: list[float]) -> None:
    api = make_api(token=issue(sandbox, "read_customers"))
    with pytest.raises(AuthError, match=r"ACCESS_DENIED.*read_orders.*Grant the app"):
        api.execute("Orders", {"query": "", "sortKey": "UPDATED_AT", "first": 1})
    assert slept == []


class Plan:
    """A shop's bucket as Shopify keeps it, on fake time, in the client's place."""

    def __init__(self, rate: float) -> None:
        self.now = 0.0
        self.rate = rate
        self.capacity = self.left = 20 * rate
        self.refused = 0
        self.actual = 0.0
        self.redact = Redactor()
        self.budgets = {"graphql": Budget(rate=100, capacity=2000, clock=lambda: self.now, sleep=self.pass_time)}

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.left = min(self.capacity, self.left + seconds * self.rate)

    def send(self, _: Request, read: Callable[[Response], Answer], *, budget: str, cost: float) -> Answer | None:
        self.budgets[budget].take(cost)
        answer: dict[str, Any] = {"data": {}}
        if self.left < REQUESTED - 1e-6:
            self.refused += 1
            answer = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
        else:
            self.left -= self.actual
        status = {"maximumAvailable": self.capacity, "currentlyAvailable": self.left, "restoreRate": self.rate}
        answer["extensions"] = {"cost": {"requestedQueryCost": REQUESTED, "throttleStatus": status}}
        return read(Response({}, json.dumps(answer).encode(), "POST /graphql.json"))


REQUESTED = 893


@given(st.sampled_from([50, 100, 1000]), st.lists(st.tuples(st.floats(0, 20), st.floats(0, REQUESTED)), max_size=60))
def test_a_request_waits_until_its_cost_fits_rather_than_being_refused(
    rate: float, requests: list[tuple[float, float]]
) -> None:
    plan = Plan(rate)
    api = ShopifyApi(plan, "http://shop.test", StaticToken("t"))  # type: ignore[arg-type]
    for idle, actual in requests:
        plan.pass_time(idle)
        plan.actual = actual
        api.execute("Orders")
    assert plan.refused == 0


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Counting(HttpClient):
    """Notes where requests went."""

    def __init__(self) -> None:
        super().__init__(redact=Redactor(["secret_aurora"]), budgets=budgets(), retry=RetryPolicy(attempts=1))
        self.paths: list[str] = []

    def send(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        self.paths.append(request.url.rsplit("/", 1)[-1])
        return super().send(request, *args, **kwargs)


@pytest.fixture
def granted(sandbox: Sandbox) -> Any:
    client, clock = Counting(), Clock()
    token = ClientCredentials(client, sandbox.shop(), "client_aurora", "secret_aurora", clock)
    yield client, clock, token, ShopifyApi(client, sandbox.shop(), token)
    client.close()


def test_client_credentials_are_exchanged_once_for_many_requests(granted: Any) -> None:
    client, _, token, api = granted
    for _ in range(3):
        api.execute("Shop")
    assert client.paths == ["access_token", "graphql.json", "graphql.json", "graphql.json"]
    assert client.redact(f"it was {token.value()}") == "it was ***"


def test_a_token_is_replaced_shortly_before_it_ends(granted: Any) -> None:
    client, clock, token, api = granted
    api.execute("Shop")
    first = token.value()
    clock.now += timedelta(hours=23, minutes=54)
    assert token.value() == first
    clock.now += timedelta(minutes=2)
    api.execute("Shop")
    assert token.value() != first
    assert client.paths.count("access_token") == 2


def test_a_token_revoked_in_mid_sync_is_renewed_once(granted: Any, sandbox: Sandbox) -> None:
    client, _, token, api = granted
    api.execute("Shop")
    sandbox.admin(f"/tokens/{token.value()}/revoke")
    api.execute("Shop")
    assert client.paths.count("access_token") == 2
    sandbox.fault("expired_token", times=100)
    with pytest.raises(AuthError):
        api.execute("Shop")
    assert client.paths.count("graphql.json") == 5, "once more after the renewal, and no further"


def test_wrong_client_credentials_fail_without_showing_them(sandbox: Sandbox) -> None:
    client = Counting()
    client.redact.add("not-the-secret")
    api = ShopifyApi(
        client, sandbox.shop(), ClientCredentials(client, sandbox.shop(), "client_aurora", "not-the-secret")
    )
    with pytest.raises(AuthError, match=r"HTTP 401.*access_token") as caught:
        api.execute("Shop")
    client.close()
    assert "not-the-secret" not in str(caught.value)
