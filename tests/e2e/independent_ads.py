"""A second opinion on advertising: every campaign's day, asked of the three platforms over plain HTTP, and the rates.

It shares nothing with the project: no import, no query, no SQL. Money is exact.
"""

from __future__ import annotations

import csv
import json
import urllib.parse
import urllib.request
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MILLION = 1_000_000
MOST_DAYS = 30
"""TikTok's limit for a report by day."""


class Day(NamedTuple):
    """A campaign's day, in the account's currency."""

    account: str
    campaign: str
    on: str
    currency: str
    spend: Decimal
    impressions: Decimal | None
    clicks: Decimal | None
    conversions: Decimal
    value: Decimal


def meta_days(env: Mapping[str, str], merchant: str, first: date, last: date) -> Iterator[Day]:
    """Insights by campaign and day, deleted campaigns included, page after page."""
    named = f"META_ADS_{merchant.upper()}"
    headers = {"Authorization": f"Bearer {env[f'{named}_ACCESS_TOKEN']}"}
    states = ["ACTIVE", "PAUSED", "DELETED", "ARCHIVED", "IN_PROCESS", "WITH_ISSUES"]
    for account in env[f"{named}_ACCOUNT_IDS"].split(","):
        for since, until in _spans(first, last, 20):
            asked = {
                "level": "campaign",
                "time_increment": "1",
                "time_range": json.dumps({"since": str(since), "until": str(until)}),
                "fields": "campaign_id,account_currency,spend,impressions,clicks,actions,action_values",
                "filtering": json.dumps([{"field": "campaign.effective_status", "operator": "IN", "value": states}]),
                "limit": "37",
            }
            after = ""
            while True:
                page = {**asked, **({"after": after} if after else {})}
                address = f"{env[f'{named}_API_HOST']}/v26.0/act_{account.strip()}/insights"
                answer = _get(address, page, headers)
                for row in answer["data"]:
                    yield Day(
                        account.strip(), row["campaign_id"], row["date_start"], row["account_currency"],
                        Decimal(row["spend"]), Decimal(row["impressions"]), Decimal(row["clicks"]),
                        _purchases(row.get("actions", [])), _purchases(row.get("action_values", [])),
                    )  # fmt: skip
                if "next" not in answer.get("paging", {}):
                    break
                after = answer["paging"]["cursors"]["after"]


def google_days(env: Mapping[str, str], sandbox: str, merchant: str, first: date, last: date) -> Iterator[Day]:
    """All days in one answer, over REST; the project asks over gRPC."""
    named = f"GOOGLE_ADS_{merchant.upper()}"
    form = {
        "grant_type": "refresh_token",
        "client_id": env[f"{named}_CLIENT_ID"],
        "client_secret": env[f"{named}_CLIENT_SECRET"],
        "refresh_token": env[f"{named}_REFRESH_TOKEN"],
    }
    token = _read(urllib.request.Request(env[f"{named}_TOKEN_URI"], urllib.parse.urlencode(form).encode()))
    headers = {
        "Authorization": f"Bearer {token['access_token']}",
        "developer-token": env[f"{named}_DEVELOPER_TOKEN"],
        "Content-Type": "application/json",
    }
    if manager := env[f"{named}_LOGIN_CUSTOMER_ID"].replace("-", ""):
        headers["login-customer-id"] = manager
    query = (
        "SELECT campaign.id, customer.currency_code, segments.date, metrics.cost_micros, metrics.impressions, "
        "metrics.clicks, metrics.conversions, metrics.conversions_value FROM campaign "
        f"WHERE segments.date BETWEEN '{first}' AND '{last}'"
    )
    account = env[f"{named}_CUSTOMER_IDS"].replace("-", "")
    address = f"{sandbox}/v26/customers/{account}/googleAds:searchStream"
    batches = _read(urllib.request.Request(address, json.dumps({"query": query}).encode(), headers))
    for row in (row for batch in batches for row in batch.get("results", [])):
        metrics = row["metrics"]
        yield Day(
            account, row["campaign"]["id"], row["segments"]["date"], row["customer"]["currencyCode"],
            Decimal(metrics.get("costMicros", "0")) / MILLION,
            Decimal(metrics.get("impressions", "0")), Decimal(metrics.get("clicks", "0")),
            Decimal(str(metrics.get("conversions", 0))), Decimal(str(metrics.get("conversionsValue", 0))),
        )  # fmt: skip


def tiktok_days(env: Mapping[str, str], merchant: str, first: date, last: date) -> Iterator[Day]:
    """Campaigns and those of GMV Max, page after page; a minus sign is nothing."""
    named = f"TIKTOK_ADS_{merchant.upper()}"
    account = env[f"{named}_ADVERTISER_IDS"]

    def ask(path: str, **asked: Any) -> Any:
        params = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items()}
        address = f"{env[f'{named}_API_HOST']}/open_api/v1.3{path}"
        answer = _get(address, params, {"Access-Token": env[f"{named}_ACCESS_TOKEN"]})
        assert answer["code"] == 0, answer
        return answer["data"]

    told = ask("/advertiser/info/", advertiser_ids=[account], fields=["currency"])
    currency = told["list"][0]["currency"]
    stores = ask("/gmv_max/store/list/", advertiser_id=account)["store_list"]
    figures = ["spend", "impressions", "clicks", "complete_payment", "total_complete_payment_rate"]
    campaigns = {
        "report_type": "BASIC",
        "data_level": "AUCTION_CAMPAIGN",
        "metrics": figures,
        "filtering": [{"field_name": "campaign_status", "filter_type": "IN", "filter_value": '["STATUS_ALL"]'}],
    }
    gmv_max = {
        "metrics": ["cost", "orders", "gross_revenue"],
        "filtering": {"gmv_max_promotion_types": ["PRODUCT"], "campaign_statuses": ["STATUS_ALL"]},
    }
    names_of_it = ["cost", None, None, "orders", "gross_revenue"]
    reports: list[tuple[str, dict[str, Any], list[Any]]] = [("/report/integrated/get/", campaigns, figures)]
    for store in (store["store_id"] for store in stores if store["is_gmv_max_available"]):
        reports.append(("/gmv_max/report/get/", {**gmv_max, "store_ids": [store]}, names_of_it))
    for path, asked, names in reports:
        for since, until in _spans(first, last, MOST_DAYS):
            number, pages = 1, 1
            while number <= pages:
                report = ask(
                    path, advertiser_id=account, dimensions=["campaign_id", "stat_time_day"],
                    start_date=str(since), end_date=str(until), page=number, page_size=50, **asked,
                )  # fmt: skip
                for row in report.get("list", ()):
                    spend, impressions, clicks, conversions, value = (
                        _number(row["metrics"][name]) if name else None for name in names
                    )
                    yield Day(
                        account, row["dimensions"]["campaign_id"], row["dimensions"]["stat_time_day"][:10], currency,
                        spend or Decimal(0), impressions, clicks, conversions or Decimal(0), value or Decimal(0),
                    )  # fmt: skip
                number, pages = number + 1, report["page_info"]["total_page"]


def rates_of(file: Path) -> dict[date, dict[str, Fraction]]:
    """What a euro costs, by the day of its quotation."""
    with file.open(newline="") as lines:
        return {
            date.fromisoformat(row["Date"]): {
                name: Fraction(text)
                for name, text in row.items()
                if name and name != "Date" and text not in ("", "N/A")
            }
            for row in csv.DictReader(lines)
        }


def bank_rates(url: str, first: date) -> dict[date, dict[str, Fraction]]:
    """The same, as the bank tells it now."""
    address = f"{url}/service/data/EXR/D..EUR.SP00.A?startPeriod={first}&format=csvdata"
    found: dict[date, dict[str, Fraction]] = defaultdict(dict)
    with urllib.request.urlopen(address, timeout=60) as answer:
        for row in csv.DictReader(answer.read().decode().splitlines()):
            found[date.fromisoformat(row["TIME_PERIOD"])][row["CURRENCY"]] = Fraction(row["OBS_VALUE"])
    return found


def converted(
    amount: Decimal, currency: str, wanted: str, on: date, rates: Mapping[date, Mapping[str, Fraction]]
) -> Decimal:
    """The amount by the day's rate, or by the last one before it, to a millionth."""
    if currency == wanted:
        return amount
    quoted = next(rates[on - timedelta(days=age)] for age in range(6) if on - timedelta(days=age) in rates)
    euro = {**quoted, "EUR": Fraction(1)}
    exact = Fraction(amount) * euro[wanted] / euro[currency]
    scaled = exact * MILLION
    rounded = (abs(scaled) + Fraction(1, 2)) // 1
    return Decimal(int(rounded)) / MILLION * (-1 if scaled < 0 else 1)


def _spans(first: date, last: date, days: int) -> Iterator[tuple[date, date]]:
    """The days in pieces, both ends included."""
    while first <= last:
        until = min(first + timedelta(days=days - 1), last)
        yield first, until
        first = until + timedelta(days=1)


def _purchases(actions: list[dict[str, str]]) -> Decimal:
    """Purchases, which Meta tells under several names."""
    told = {action["action_type"]: Decimal(action["value"]) for action in actions}
    return told.get("omni_purchase", told.get("purchase", Decimal(0)))


def _number(text: str) -> Decimal:
    return Decimal(0) if text == "-" else Decimal(text)


def _get(address: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Any:
    return _read(urllib.request.Request(f"{address}?{urllib.parse.urlencode(params)}", headers=dict(headers)))


def _read(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
