"""A token that sees only the last 60 days of orders: said before anything is read, and never taken for all there is."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.shopify_sandbox import NOW, SCOPES, Sandbox
from tributary.channels.shopify.streams import CUSTOMERS, ORDERS, PRODUCTS
from tributary.channels.shopify.token import StaticToken
from tributary.http import AuthError, Fatal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shopify_sandbox import MakeApi

    from tributary.channels.shopify.api import ShopifyApi

HORIZON = NOW - timedelta(days=60)
AGO = timedelta(days=1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Some days around the horizon, and the ones after."""
    with serve(create_app(Settings(first_day=date(2026, 9, 18), frozen_at=NOW))) as url:
        yield Sandbox(url)


@pytest.fixture
def short_sighted(sandbox: Sandbox, make_api: MakeApi) -> ShopifyApi:
    """The API as a token without read_all_orders sees it."""
    return make_api(token=StaticToken(token(sandbox, SCOPES - {"read_all_orders"})))


def token(sandbox: Sandbox, scopes: frozenset[str]) -> str:
    return str(sandbox.admin("/shops/aurora/tokens", {"scopes": sorted(scopes)})["access_token"])


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize("read", [ORDERS.changed, ORDERS.happened], ids=["changed", "happened"])
def test_reading_from_before_the_horizon_names_the_scope_the_day_and_both_ways_out(
    read: object, short_sighted: ShopifyApi
) -> None:
    assert callable(read)
    with pytest.raises(AuthError) as caught:
        list(read(short_sighted, HORIZON - AGO, HORIZON + AGO))
    assert isinstance(caught.value, Fatal)
    message = str(caught.value)
    assert "Orders since 2026-09-20 were asked for" in message
    assert "read_all_orders" in message
    assert "since 2026-09-22" in message
    assert "grant the app read_all_orders" in message
    assert "history_start 2026-09-22 or later, or history_days 59 or less, in merchants.yaml" in message


def test_the_day_that_the_error_names_can_be_read(short_sighted: ShopifyApi, make_api: MakeApi) -> None:
    day = datetime(2026, 9, 22, tzinfo=UTC)
    seen = {r.record_id for page in ORDERS.happened(short_sighted, day, day + AGO) for r in page.records}
    assert seen == {r.record_id for page in ORDERS.happened(make_api(), day, day + AGO) for r in page.records}
    assert seen


def test_within_the_horizon_there_is_one_warning_a_sync(
    short_sighted: ShopifyApi, caplog: pytest.LogCaptureFixture
) -> None:
    for start in (HORIZON, NOW - AGO):
        assert [r for page in ORDERS.changed(short_sighted, start, start + AGO) for r in page.records]
    (message,) = warnings(caplog)
    assert "read_all_orders" in message
    assert "refunds and edits that older orders still get will not be seen" in message


def test_a_token_that_sees_everything_is_not_warned(make_api: MakeApi, caplog: pytest.LogCaptureFixture) -> None:
    for start in (HORIZON - AGO, NOW - timedelta(days=300)):
        assert next(iter(ORDERS.changed(make_api(), start, NOW))).records
    assert not warnings(caplog)


def test_customers_and_products_have_no_horizon(short_sighted: ShopifyApi, caplog: pytest.LogCaptureFixture) -> None:
    for stream in (CUSTOMERS, PRODUCTS):
        assert [r for page in stream.changed(short_sighted, NOW - timedelta(days=300), NOW) for r in page.records]
    assert not warnings(caplog)


def test_scopes_are_asked_for_once(short_sighted: ShopifyApi) -> None:
    asked: list[str] = []
    execute = short_sighted.execute

    def note(operation: str, variables: object = None, **options: object) -> object:
        asked.append(operation)
        return execute(operation, variables, **options)  # type: ignore[arg-type]

    short_sighted.execute = note  # type: ignore[assignment,method-assign]
    for _ in range(3):
        list(ORDERS.changed(short_sighted, NOW - timedelta(minutes=5), NOW))
    assert asked.count("Scopes") == 1


def test_an_order_that_is_only_too_old_is_not_taken_for_deleted(
    short_sighted: ShopifyApi, make_api: MakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    old = [r.record_id for page in ORDERS.happened(make_api(), HORIZON - AGO, HORIZON - AGO / 2) for r in page.records]
    new = [r.record_id for page in ORDERS.happened(make_api(), NOW - AGO, NOW) for r in page.records][:3]
    deleted = str(int(max(new)) + 7)
    assert old
    (page,) = ORDERS.by_id(short_sighted, [*old, *new, deleted])
    assert [record.record_id for record in page.records] == new
    assert page.gone == [deleted]
    (message,) = warnings(caplog)
    assert f"{len(old)} orders that the warehouse knows were not found, and are kept" in message
    (page,) = ORDERS.by_id(make_api(), [*old, deleted])
    assert {record.record_id for record in page.records} == set(old)
    assert page.gone == [deleted]
