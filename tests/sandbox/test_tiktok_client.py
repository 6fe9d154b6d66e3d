"""Strangers look at TikTok Shop's sandbox: a client that others wrote reads it, and the vendor's description holds."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tiktok_shop_api import TikTokShop, TikTokShopAuth, TikTokShopError
from tiktok_shop_api.generated.models.get_order_list_request import GetOrderListRequest
from tiktok_shop_api.generated.models.search_products_request import SearchProductsRequest

from sandbox.tiktok_shop.access import APP_KEY, APP_SECRET
from tests.sandbox.conftest import NOW
from tests.sandbox.tiktok_openapi import complaints, published
from tests.sandbox.tiktok_seller import FIRST_REFRESH, FIRST_TOKEN, SHOP_PATH, VIDEOS_PATH, Seller

if TYPE_CHECKING:
    from tests.sandbox.conftest import Client

WINDOW = {"start_date_ge": date(2026, 11, 8), "end_date_lt": date(2026, 11, 15)}


@pytest.fixture(autouse=True)
def _sandbox_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client signs with the machine's time; the sandbox's stands still."""
    monkeypatch.setattr("tiktok_shop_api.client.time", SimpleNamespace(time=NOW.timestamp))


def stranger(url: str, secret: str = APP_SECRET) -> TikTokShop:
    """The client after it has chosen among the shops that its token stands for."""
    client = TikTokShop(APP_KEY, secret, FIRST_TOKEN, base_url=url)
    shops = client.authorization.get_authorized_shops().data.shops
    return client.with_shop(shop_cipher=next(shop.cipher for shop in shops if shop.region == "US"))


def unknown_fields(model: Any) -> dict[str, Any]:
    """Whatever the client's models have no name for, anywhere in an answer."""
    if isinstance(model, list):
        return {name: value for item in model for name, value in unknown_fields(item).items()}
    if not hasattr(model, "additional_properties"):
        return {}
    found = dict(model.additional_properties)
    for name in model.__slots__ if hasattr(model, "__slots__") else vars(model):
        if name != "additional_properties":
            found |= unknown_fields(getattr(model, name, None))
    return found


def test_a_client_that_others_wrote_reads_every_endpoint(sandbox: Client) -> None:
    shop = stranger(sandbox.url)
    orders = shop.orders.get_order_list(page_size=100, body=GetOrderListRequest(create_time_ge=1_792_000_000))
    one = shop.orders.get_order_detail(ids=[order.id for order in orders.data.orders[:2]])
    statements = shop.finance.get_statements(sort_field="statement_time", page_size=100)
    paid = statements.data.statements[0]
    booked = shop.finance.get_transactions_by_statement(paid.id, sort_field="order_create_time", page_size=100)
    products = shop.products.search_products(page_size=100, body=SearchProductsRequest())
    videos = shop.analytics.get_shop_video_performance_list(**WINDOW, page_size=100)
    detail = shop.analytics.get_shop_video_performance_details(videos.data.videos[0].id, **WINDOW)
    whole = shop.analytics.get_shop_performance(**WINDOW)
    returns = shop.return_and_refund.search_returns(page_size="50")
    cancellations = shop.return_and_refund.search_cancellations(page_size="50")

    answers = (orders, one, statements, booked, products, videos, detail, returns, cancellations)
    assert len(orders.data.orders) == 100 < orders.data.total_count
    assert {order.id for order in one.data.orders} == {order.id for order in orders.data.orders[:2]}
    assert booked.data.transactions
    assert len(products.data.products) == 12
    assert [video.views for video in videos.data.videos if video.id == videos.data.videos[0].id] == [
        detail.data.performance.intervals[0].traffic.views
    ]
    assert whole.data.latest_available_date == date(2026, 11, 14)
    assert returns.data.return_orders
    assert cancellations.data.cancellations
    assert [unknown_fields(answer) for answer in answers] == [{}] * len(answers)


def test_a_client_that_others_wrote_refreshes_its_tokens(fresh: Client) -> None:
    auth = TikTokShopAuth(APP_KEY, APP_SECRET, base_url=f"{fresh.url}/tiktok_auth")
    pair = auth.refresh(FIRST_REFRESH)
    assert pair.access_token_expire_in == int(NOW.timestamp()) + 7 * 86_400
    assert TikTokShop(APP_KEY, APP_SECRET, pair.access_token, base_url=fresh.url).authorization.get_authorized_shops()
    with pytest.raises(TikTokShopError, match="Refresh token"):
        auth.refresh(FIRST_REFRESH)
    code = fresh.admin("POST", "/tiktok/authorisation/code")["auth_code"]
    assert auth.exchange_code(code).granted_scopes == pair.granted_scopes


def test_a_client_with_a_wrong_secret_is_refused(sandbox: Client) -> None:
    with pytest.raises(TikTokShopError) as refusal:
        stranger(sandbox.url, "a secret of somebody else")
    assert (refusal.value.code, refusal.value.http_status) == (106001, 401)


PAGE: dict[str, Any] = {"page_size": 50}
DAYS = {name: day.isoformat() for name, day in WINDOW.items()}


def test_every_answer_is_as_published_without_a_field_more(sandbox: Client) -> None:
    seller = Seller(sandbox.url)
    order = seller.data("/order/202309/orders/search", PAGE, {"order_status": "COMPLETED"})["orders"][0]["id"]
    statement = seller.data("/finance/202309/statements", {"sort_field": "statement_time"})["statements"][0]["id"]
    video = seller.data(VIDEOS_PATH, DAYS)["videos"][0]["id"]
    statement_path = "/finance/202501/statements/{statement_id}/statement_transactions"
    # The path as it is published; what stands in its braces; query; body.
    asked: list[tuple[str, dict[str, str], dict[str, Any], Any]] = [
        ("/authorization/202309/shops", {}, {}, None),
        ("/order/202309/orders/search", {}, {"page_size": 100}, {}),
        ("/order/202309/orders", {}, {"ids": order}, None),
        ("/order/202507/orders", {}, {"ids": order}, None),
        ("/return_refund/202309/returns/search", {}, PAGE, {}),
        ("/return_refund/202309/cancellations/search", {}, PAGE, {}),
        ("/finance/202309/statements", {}, {"sort_field": "statement_time", "page_size": 100}, None),
        (statement_path, {"statement_id": statement}, {"sort_field": "order_create_time", "page_size": 100}, None),
        ("/finance/202501/orders/{order_id}/statement_transactions", {"order_id": order}, {}, None),
        (SHOP_PATH, {}, {**DAYS, "granularity": "1D"}, None),
        (VIDEOS_PATH, {}, {**DAYS, "page_size": 100}, None),
        ("/analytics/202509/shop_videos/{video_id}/performance", {"video_id": video}, DAYS, None),
    ]
    assert {path for path, *_ in asked} == set(published())
    for path, names, query, body in asked:
        answer = seller.signed(path.format(**names), query, body).send(seller.url).json()
        assert answer["code"] == 0, (path, answer)
        method = "get" if body is None else "post"
        assert (path, complaints(method, path, answer)) == (path, [])
