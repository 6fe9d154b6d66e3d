"""What Shopify gives Tributary."""

from __future__ import annotations

from datetime import timedelta

from tributary.channels.shopify import customers, orders, products
from tributary.channels.shopify.history import slices
from tributary.channels.shopify.reading import PAGE_SIZE
from tributary.channels.shopify.totals import control_totals
from tributary.declaration import Channel, Personal, Stream, Unfinished


def _without_contacts(tag: str) -> str:
    """An address or a number that somebody wrote into a tag becomes nobody's: marts show only that there was one."""
    address = r"\S*(@|%(25)*40)[[:alnum:]-]+[.][[:alpha:]]{2}\S*"
    tag = f"regexp_replace(payload #>> '{{{tag}}}', '{address}', 'masked\\1masked.example', 'g')"
    return rf"regexp_replace({tag}, '[+][1-9]\d{{7,}}', '+10000000', 'g')"


VISIT = Personal(
    kept={
        "": ("id", "occurredAt", "landingPage", "referrerUrl", "source", "sourceType", "utmParameters"),
        "utmParameters": ("source", "medium", "campaign"),
    },
    # Attribution asks which platform's click it was, which site it came from, and how it was tagged.
    rewritten={
        "landingPage": "(select left(payload ->> 'landingPage', 0) || '/' || "
        "coalesce('?' || string_agg(lower(click[1]) || '=masked', '&'), '') from "
        "regexp_matches(payload ->> 'landingPage', "
        "'(?i)[?&](gclid|gbraid|wbraid|msclkid|ttclid|fbclid)=[^&#]', 'g') as click)",
        "referrerUrl": "'https://' || substring(payload ->> 'referrerUrl' from "
        "'(?i)^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)')",
        **{
            path: _without_contacts(path)
            for path in ("utmParameters,source", "utmParameters,medium", "utmParameters,campaign")
        },
    },
)

ORDERS = Stream(
    name="orders",
    changed=orders.changed_orders,
    happened=orders.orders_that_happened,
    by_id=orders.orders_by_id,
    replay=orders.replayed_order,
    history=slices,
    cursor="updated_at",
    # A busy shop's week is some ten thousand orders, which is what one transaction moves well.
    slice_length=timedelta(days=7),
    # Shopify's search index lags behind its records by minutes; re-reading what did not change costs little.
    look_back=timedelta(hours=1),
    sla=timedelta(hours=1),
    budget="graphql",
    per_request=PAGE_SIZE,
    children=("refunds", "visits"),
    quiet=frozenset({"visits"}),
    # Shopify attributes visits for hours after the order, without a new updatedAt; it looks back 30 days.
    unfinished=Unfinished("payload #>> '{customerJourneySummary,ready}' = 'false'", timedelta(days=31)),
    # A guest's e-mail may turn out to be a known customer's, so orders are recomputed along both. A copy of an order of
    # TikTok Shop counts only as long as that order is not here.
    identities={
        "customer": "payload -> 'customer' ->> 'legacyResourceId'",
        "email": "nullif(lower(btrim(payload ->> 'email')), '')",
    },
    # Analytics knows a transaction by the order's id.
    links={
        "transaction": "payload ->> 'legacyResourceId'",
        "tiktok_order": "nullif(btrim(substr(jsonb_path_query_first(payload -> 'tags', "
        "'$[*] ? (@ starts with \"TikTokOrderID:\")') #>> '{}', 15)), '')",
    },
    personal=Personal(
        identities={"customer,legacyResourceId": "shopify", "email": "email"},
        # Visits are rows of their own too.
        removed=("customer,id", "customerJourneySummary,moments"),
        children={"visits": VISIT},
    ),
)

CUSTOMERS = Stream(
    name="customers",
    changed=customers.changed_customers,
    happened=customers.customers_created,
    by_id=customers.customers_by_id,
    replay=customers.replayed_customer,
    cursor="updated_at",
    slice_length=timedelta(days=30),
    look_back=timedelta(hours=1),
    sla=timedelta(hours=1),
    budget="graphql",
    per_request=PAGE_SIZE,
    quiet=frozenset({"customers"}),
    personal=Personal(
        identities={"legacyResourceId": "shopify", "defaultEmailAddress,emailAddress": "email"}, removed=("id", "tags")
    ),
)

PRODUCTS = Stream(
    name="products",
    changed=products.changed_products,
    happened=products.products_created,
    by_id=products.products_by_id,
    replay=products.replayed_product,
    history=products.catalogue,
    cursor="updated_at",
    slice_length=timedelta(days=30),
    look_back=timedelta(hours=1),
    sla=timedelta(hours=6),
    budget="graphql",
    per_request=PAGE_SIZE,
    children=("variants",),
    # A sale changes what is in stock, and so the product; no figure tells of that.
    matters={
        "products": "jsonb_build_array(payload -> 'title', payload -> 'productType', payload -> 'vendor', "
        "payload -> 'status')",
        "variants": "jsonb_build_array(payload -> 'title', payload -> 'sku', payload -> 'price')",
    },
)

SHOPIFY = Channel(
    name="shopify",
    conn_type="shopify",
    hook="tributary.channels.shopify.hook.ShopifyHook",
    schedule="@hourly",
    pool="shopify",
    streams=(ORDERS, CUSTOMERS, PRODUCTS),
    totals=control_totals,
)
