"""What TikTok Shop gives Tributary."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Literal

from tributary.channels.tiktok_shop import aftersales, analytics, finance, orders, products
from tributary.channels.tiktok_shop.totals import control_totals
from tributary.declaration import Channel, Personal, Stream, Unfinished

# TikTok's search lags behind its records by minutes; re-reading what did not change costs little.
AN_HOUR = timedelta(hours=1)
# Statements are cut once a day, and nothing says when one has become visible.
DAYS_OF_STATEMENTS = timedelta(days=3)

ORDERS = Stream(
    name="orders",
    changed=orders.changed_orders,
    happened=orders.orders_that_happened,
    by_id=orders.orders_by_id,
    replay=orders.ORDERS.replayed,
    cursor="update_time",
    # A busy shop's week is some ten thousand orders, which is what one transaction moves well.
    slice_length=timedelta(days=7),
    look_back=AN_HOUR,
    sla=timedelta(hours=1),
    budget=orders.BUDGET,
    per_request=orders.PAGE_SIZE,
    api_version="202309",
    # The copy of an order in another shop, and the buyer's other orders, are recomputed with it.
    identities={"tiktok_order": "payload ->> 'id'", "tiktok_buyer": "payload ->> 'user_id'"},
    personal=Personal(
        identities={"user_id": "tiktok_shop"},
        links={"id": "tiktok_order"},
        # Its e-mail address is one that TikTok hands out. A carrier's number leads to an address.
        removed=(
            "buyer_avatar",
            "buyer_email",
            "buyer_message",
            "buyer_nickname",
            "cpf",
            "cpf_name",
            "recipient_address",
            "seller_note",
            "tracking_number",
            "line_items,*,tracking_number",
        ),
    ),
)


def _aftersales(name: str, search: aftersales.Search) -> Stream:
    """Returns or cancellations: no time says when they happened, so both axes are their last change."""
    return Stream(
        name=name,
        changed=search.changed,
        happened=search.changed,
        by_id=search.by_id,
        replay=search.kind.replayed,
        cursor="update_time",
        slice_length=timedelta(days=30),
        look_back=AN_HOUR,
        sla=timedelta(hours=1),
        budget=aftersales.BUDGET,
        per_request=aftersales.PAGE_SIZE,
        api_version="202309",
        personal=Personal(links={"order_id": "tiktok_order"}, removed=("return_tracking_number",)),
        identities={"tiktok_order": "payload ->> 'order_id'"},
        is_dependent=True,
    )


RETURNS = _aftersales("returns", aftersales.RETURNS)
CANCELLATIONS = _aftersales("cancellations", aftersales.CANCELLATIONS)

STATEMENTS = Stream(
    name="statements",
    changed=finance.statements,
    happened=finance.statements,
    by_id=finance.statements_by_id,
    replay=finance.STATEMENTS.replayed,
    cursor="statement_time",
    slice_length=timedelta(days=30),
    look_back=DAYS_OF_STATEMENTS,
    sla=timedelta(hours=24),
    budget=finance.BUDGET,
    per_request=finance.PAGE_SIZE,
    api_version="202309",
    quiet=frozenset({"statements"}),
    # Nothing changes but the payment, and no time says that it did.
    unfinished=Unfinished("payload ->> 'payment_status' = 'PROCESSING'", timedelta(days=60)),
)

STATEMENT_TRANSACTIONS = Stream(
    name="statement_transactions",
    changed=finance.transactions,
    happened=finance.transactions,
    by_id=finance.transactions_by_id,
    replay=finance.TRANSACTIONS.replayed,
    cursor="statement_time",
    slice_length=timedelta(days=7),
    look_back=DAYS_OF_STATEMENTS,
    sla=timedelta(hours=24),
    budget=finance.BUDGET,
    per_request=finance.PAGE_SIZE,
    # Each statement is asked for its own, and there is one a day.
    requests_a_day=1,
    api_version="202501",
    links={"tiktok_order": "payload ->> 'order_id'"},
    is_dependent=True,
)

PRODUCTS = Stream(
    name="products",
    changed=products.changed_products,
    happened=products.products_created,
    by_id=products.products_by_id,
    replay=products.PRODUCTS.replayed,
    history=products.catalogue,
    cursor="update_time",
    slice_length=timedelta(days=30),
    look_back=AN_HOUR,
    sla=timedelta(hours=6),
    budget=products.BUDGET,
    per_request=products.PAGE_SIZE,
    api_version="202502",
    # A sale changes what is in stock, and so the product; no figure tells of that.
    matters={
        "products": "jsonb_build_array(payload -> 'title', payload -> 'status', "
        "jsonb_path_query_array(payload, '$.skus[*].id'), jsonb_path_query_array(payload, '$.skus[*].seller_sku'), "
        "jsonb_path_query_array(payload, '$.skus[*].price'))",
    },
)


def _daily(name: str, days: analytics.Daily, write: Literal["upsert", "snapshot"], per_request: int) -> Stream:
    return Stream(
        name=name,
        changed=days.changed,
        happened=days.happened,
        by_id=days.by_id,
        replay=days.kind.replayed,
        history=days.history,
        cursor="start_date",
        slice_length=analytics.SLICE,
        look_back=analytics.LOOK_BACK,
        sla=timedelta(hours=36),
        budget=analytics.BUDGET,
        per_request=per_request,
        # How far the figures are complete is asked first.
        requests_a_window=2,
        api_version="202509",
        write=write,
    )


# TikTok corrects the first three days that it shows a figure; the later corrections of its look-back are exceptions.
SHOP_PERFORMANCE = replace(
    _daily("shop_performance", analytics.SHOP, "upsert", analytics.SLICE.days), restated_for=timedelta(days=3)
)
VIDEOS = replace(_daily("videos", analytics.VIDEOS, "upsert", analytics.PAGE_SIZE), requests_a_day=1)
# Likes, comments and shares are lifetime totals, so that the next day's figures need this one's.
# A request is about one video, of which a window of a backfill shows seven days at most.
VIDEO_DETAILS = _daily("video_details", analytics.VIDEO_DETAILS, "snapshot", 7)

TIKTOK_SHOP = Channel(
    name="tiktok_shop",
    conn_type="tiktok_shop",
    hook="tributary.channels.tiktok_shop.hook.TikTokShopHook",
    schedule="@hourly",
    pool="tiktok_shop",
    streams=(
        ORDERS,
        RETURNS,
        CANCELLATIONS,
        STATEMENTS,
        STATEMENT_TRANSACTIONS,
        PRODUCTS,
        SHOP_PERFORMANCE,
        VIDEOS,
        VIDEO_DETAILS,
    ),
    totals=control_totals,
)
