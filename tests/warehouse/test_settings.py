"""The merchants file: what is right, and what is said about what is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.warehouse.shop import merchant
from tributary.warehouse.settings.merchants import SettingsError, apply_merchants, load_merchants

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

GOOD = """
merchants:
  - merchant_id: aurora
    name: Aurora Outdoor
    time_zone: America/New_York
    currency: USD
    revenue_includes_tax: false
    history_start: 2026-08-01
    channels: {shopify: {connection: shopify_aurora}}
"""


def write(path: Path, text: str) -> Path:
    path = path / "merchants.yaml"
    path.write_text(text)
    return path


def test_a_good_file(tmp_path: Path) -> None:
    (aurora,) = load_merchants(write(tmp_path, GOOD))
    assert (aurora.merchant_id, aurora.currency, aurora.history_start) == ("aurora", "USD", date(2026, 8, 1))
    assert aurora.channels == {"shopify": "shopify_aurora"}


def test_history_in_days_counts_back_from_today(tmp_path: Path) -> None:
    text = GOOD.replace("history_start: 2026-08-01", "history_days: 120")
    (aurora,) = load_merchants(write(tmp_path, text))
    assert datetime.now(UTC).date() - aurora.history_start == timedelta(days=120)


def test_domains_are_compared_in_one_form(tmp_path: Path) -> None:
    text = (
        GOOD + "    domains: [www.Aurora.example, aurora.myshopify.com, aurora.example]\n    personal_data_days: 730\n"
    )
    (aurora,) = load_merchants(write(tmp_path, text))
    assert (aurora.domains, aurora.personal_data_days) == (("aurora.example", "aurora.myshopify.com"), 730)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("currency: USD", "currency: USX", r"merchant 1 \(aurora\): currency 'USX' is no ISO 4217 code such as EUR"),
        ("New_York", "New_Yrok", r"time_zone 'America/New_Yrok' is no IANA zone"),
        ("name: Aurora Outdoor", "nmae: Aurora", r"unknown key 'nmae'; known are channels"),
        ("name: Aurora Outdoor", "name: 17", r"name is 17; it must be a text"),
        ("{shopify:", "{shopfiy:", r"unknown channel 'shopfiy'; known are .*shopify"),
        ("{connection: shopify_aurora}", "shopify_aurora", r"channel 'shopify' must be \{connection:"),
        ("history_start: 2026-08-01", "history_start: soon", r"history_start is 'soon'; it must be a date"),
        ("history_start: 2026-08-01", "history_days: 0", r"history_days is 0; it must be a whole number"),
        ("history_start: 2026-08-01", "", r"give either history_start"),
        ("revenue_includes_tax: false", "revenue_includes_tax: 'no'", r"revenue_includes_tax is 'no'; it must be true"),
        ("merchant_id: aurora", "merchant_id: Aurora Inc", r"merchant_id 'Aurora Inc' must be 1 to 40 lower-case"),
        ("history_start:", "domains: aurora.example\n    history_start:", r"domains is 'aurora.example'; .* list"),
        ("history_start:", "domains: [https://a.b]\n    history_start:", r"domains has 'https://a.b'; .* a host alone"),
        ("history_start:", "personal_data_days: 0\n    history_start:", r"personal_data_days is 0; .* from 1 to 36500"),
        ("merchants:", "shops:", r"must be one list under the key `merchants`"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert right in GOOD
    with pytest.raises(SettingsError, match=message):
        load_merchants(write(tmp_path, GOOD.replace(right, wrong)))


def test_a_merchant_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'aurora' is there twice"):
        load_merchants(write(tmp_path, GOOD + GOOD.split("merchants:\n")[1]))


def marked(conn: psycopg.Connection) -> list[tuple[str, str]]:
    query = "select merchant_id, operation from ops.changes order by merchant_id"
    return conn.execute(query).fetchall()


@pytest.mark.parametrize(
    ("changed", "is_marked"),
    [
        ({"time_zone": "Europe/Berlin"}, True),
        ({"currency": "EUR"}, True),
        ({"revenue_includes_tax": True}, True),
        ({"domains": ("aurora.example",)}, True),
        ({"personal_data_days": 30}, False),
        ({"name": "Another name"}, False),
        ({"channels": {"shopify": "another"}}, False),
        ({}, False),
    ],
)
def test_what_changes_figures_marks_all_days(
    conn: psycopg.Connection, changed: dict[str, object], is_marked: bool
) -> None:
    apply_merchants(conn, [merchant(), merchant("nordlicht")])
    assert marked(conn) == [("aurora", "settings"), ("nordlicht", "settings")]
    conn.execute("delete from ops.changes")

    apply_merchants(conn, [merchant("aurora", **{"time_zone": "America/New_York", **changed}), merchant("nordlicht")])

    assert marked(conn) == ([("aurora", "settings")] if is_marked else [])


def test_history_never_shrinks(conn: psycopg.Connection) -> None:
    apply_merchants(conn, [merchant(history_start=date(2026, 1, 1))])
    apply_merchants(conn, [merchant(history_start=date(2026, 2, 1))])
    assert conn.execute("select history_start from ops.merchants").fetchall() == [(date(2026, 1, 1),)]
