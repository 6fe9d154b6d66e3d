"""TikTok's advertising API: the vendor's own client reads it, what it has no route for is as documented, and what the
vendor refuses is refused, with HTTP 200 and a code."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from business_api_client import (
    AccountManagementApi,
    ApiClient,
    CampaignCreationApi,
    Configuration,
    ReportingApi,
    StoreApi,
)
from business_api_client.tiktok_business.tiktok_exceptions import TiktokSDKError

if TYPE_CHECKING:
    from tests.sandbox.conftest import Client

TOKEN = "tta_sandbox_aurora_0123456789abcdef"
ACCOUNT = "7110000000000000001"
STORE = "7495000000000000001"
GMV_MAX = "1810000000000105"
BY_DAY = ["campaign_id", "stat_time_day"]
METRICS = [
    "campaign_name", "currency", "spend", "impressions", "clicks", "complete_payment", "total_complete_payment_rate",
]  # fmt: skip
GMV_MAX_METRICS = ["campaign_name", "cost", "orders", "gross_revenue"]
EVERYTHING = [{"field_name": "campaign_status", "filter_type": "IN", "filter_value": '["STATUS_ALL"]'}]
DAYS = {"start_date": "2026-10-19", "end_date": "2026-11-15"}
REPORT = {
    "advertiser_id": ACCOUNT,
    "report_type": "BASIC",
    "data_level": "AUCTION_CAMPAIGN",
    "dimensions": json.dumps(BY_DAY),
    "metrics": json.dumps(METRICS),
    "page_size": "1000",
    **DAYS,
}
GMV_MAX_REPORT = {
    "advertiser_id": ACCOUNT,
    "store_ids": json.dumps([STORE]),
    "dimensions": json.dumps(BY_DAY),
    "metrics": json.dumps(GMV_MAX_METRICS),
    "filtering": '{"gmv_max_promotion_types": ["PRODUCT"]}',
    "page_size": "1000",
    **DAYS,
}


def get(client: Client, path: str, token: str | None = TOKEN, **asked: str) -> dict[str, Any]:
    """The envelope of an answer, which has HTTP 200 whatever it says."""
    headers = {"Access-Token": token} if token is not None else {}
    url = f"{client.url}/open_api/v1.3/{path}/"
    response = client.session.get(url, params=asked, headers=headers, timeout=20)
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    assert set(answer) == {"code", "message", "request_id", "data"}
    return answer


def rows(client: Client, path: str, **asked: str) -> dict[tuple[str, str], dict[str, str]]:
    answer = get(client, path, **asked)
    assert answer["code"] == 0, answer["message"]
    return keyed(answer["data"].get("list", []))


def keyed(found: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (row["dimensions"]["stat_time_day"][:10], row["dimensions"]["campaign_id"]): row["metrics"] for row in found
    }


def truth(client: Client, kind: str) -> dict[tuple[str, str], dict[str, Any]]:
    told = client.admin("GET", "/shops/aurora/ads/truth?platform=tiktok")
    return {(one["day"], one["campaign"]): one for one in told if one["kind"] == kind}


def official(client: Client) -> ApiClient:
    configuration = Configuration()
    configuration.host = client.url
    return ApiClient(configuration)


def figure(text: str) -> Decimal:
    return Decimal(0) if text == "-" else Decimal(text)


def test_the_vendors_client_reads_the_truth_page_by_page(sandbox: Client) -> None:
    reporting, found = ReportingApi(official(sandbox)), []
    for page in (1, 2, 3):
        data = reporting.report_integrated_get(
            "BASIC", TOKEN, advertiser_id=ACCOUNT, data_level="AUCTION_CAMPAIGN", dimensions=BY_DAY, metrics=METRICS,
            filtering=EVERYTHING, order_field="spend", order_type="DESC", page=page, page_size=40, **DAYS,
        )["data"]  # fmt: skip
        found += data["list"]
    assert data["page_info"] == {"page": 3, "page_size": 40, "total_number": len(found), "total_page": 2}
    assert (len(found) > 40, data["list"]) == (True, [])
    assert [figure(row["metrics"]["spend"]) for row in found] == sorted(
        (figure(row["metrics"]["spend"]) for row in found), reverse=True
    )
    expected, told = truth(sandbox, "standard"), keyed(found)
    assert told.keys() == expected.keys()
    for key, row in told.items():
        one = expected[key]
        assert (row["campaign_name"], row["currency"]) == (one["name"], "USD")
        assert (row["impressions"], row["clicks"]) == (str(one["impressions"]), str(one["clicks"]))
        names = {"spend": "spend", "complete_payment": "conversions", "total_complete_payment_rate": "value"}
        assert {name: figure(row[name]) for name in names} == {name: Decimal(one[of]) for name, of in names.items()}
    assert len({row["campaign_name"] for row in told.values()}) == 4
    assert any(row["complete_payment"] == row["total_complete_payment_rate"] == "-" for row in told.values())


def test_the_vendors_client_reads_gmv_max_which_the_other_report_has_not(sandbox: Client) -> None:
    reporting = ReportingApi(official(sandbox))
    answer = reporting.gmv_max_report_get(
        ACCOUNT, [STORE], BY_DAY, GMV_MAX_METRICS, DAYS["start_date"], DAYS["end_date"], TOKEN, page_size=1000,
        filtering={"gmv_max_promotion_types": ["PRODUCT"], "campaign_statuses": ["STATUS_ALL"]}, sort_field="cost",
    )  # fmt: skip
    expected = truth(sandbox, "gmv_max")
    assert {key: {**row, "orders": Decimal(row["orders"])} for key, row in keyed(answer["data"]["list"]).items()} == {
        key: {
            "campaign_name": one["name"],
            "cost": one["spend"].removesuffix("0000"),
            "orders": Decimal(one["conversions"]),
            "gross_revenue": one["value"].removesuffix("0000"),
        }
        for key, one in expected.items()
    }
    others = rows(sandbox, "report/integrated/get", **REPORT, filtering=json.dumps(EVERYTHING))
    assert expected
    assert GMV_MAX not in {campaign for _, campaign in others}


def test_the_vendors_client_reads_accounts_shops_and_campaigns(sandbox: Client) -> None:
    client = official(sandbox)
    (account,) = AccountManagementApi(client).advertiser_info([ACCOUNT], TOKEN)["data"]["list"]
    assert (account["name"], account["currency"], account["status"]) == ("Aurora TikTok", "USD", "STATUS_ENABLE")
    assert (account["timezone"], account["display_timezone"]) == ("Etc/GMT+5", "America/New_York")
    shops = StoreApi(client).gmv_max_store_list(ACCOUNT, TOKEN)["data"]["store_list"]
    assert [shop["store_id"] for shop in shops if shop["is_gmv_max_available"]] == [STORE]
    assert len(shops) == 2
    listed = CampaignCreationApi(client).campaign_get(
        ACCOUNT, TOKEN, filtering={"primary_status": "STATUS_DELETE"}, fields=["campaign_id", "secondary_status"]
    )
    assert listed["data"]["list"] == [
        {"campaign_id": "1810000000000104", "secondary_status": "CAMPAIGN_STATUS_DELETE"}
    ]  # fmt: skip


def test_the_vendors_client_raises_what_it_is_refused(sandbox: Client) -> None:
    with pytest.raises(TiktokSDKError, match="Error Code: 40105"):
        AccountManagementApi(official(sandbox)).advertiser_info([ACCOUNT], "tta_other")


def test_deleted_campaigns_are_left_out_unless_they_are_asked_for(fresh: Client) -> None:
    days = {"start_date": "2026-11-12", "end_date": "2026-11-15"}
    every = json.dumps(EVERYTHING)
    whole = rows(fresh, "report/integrated/get", **{**REPORT, **days}, filtering=every)
    shown = rows(fresh, "report/integrated/get", **{**REPORT, **days})
    assert {key[1] for key in whole.keys() - shown.keys()} == {"1810000000000104"}

    whole = rows(fresh, "gmv_max/report/get", **{**GMV_MAX_REPORT, **days})
    fresh.admin("POST", f"/shops/aurora/ads/campaigns/{GMV_MAX}/delete")
    assert rows(fresh, "gmv_max/report/get", **{**GMV_MAX_REPORT, **days}) == {}
    filtering = {"gmv_max_promotion_types": ["PRODUCT"], "campaign_statuses": ["STATUS_ALL"]}
    asked = {**GMV_MAX_REPORT, **days, "filtering": json.dumps(filtering)}
    assert rows(fresh, "gmv_max/report/get", **asked) == whole
    found = [
        get(fresh, "gmv_max/campaign/get", advertiser_id=ACCOUNT, filtering=json.dumps(one))["data"]["list"]
        for one in (
            {"gmv_max_promotion_types": ["PRODUCT_GMV_MAX"]},
            {"gmv_max_promotion_types": ["PRODUCT_GMV_MAX"], "primary_status": "STATUS_DELETE"},
        )
    ]
    assert [[one["campaign_id"] for one in page] for page in found] == [[], [GMV_MAX]]

    fresh.admin("POST", f"/shops/aurora/ads/campaigns/{GMV_MAX}/delete", {"forget": True})
    assert rows(fresh, "gmv_max/report/get", **asked) == {}


def test_a_new_name_is_on_all_days_and_a_closed_account_says_so(fresh: Client) -> None:
    fresh.admin("POST", "/shops/aurora/ads/campaigns/1810000000000101/rename", {"name": "Spark | winter"})
    fresh.admin("POST", f"/shops/aurora/ads/accounts/{ACCOUNT}/disable")
    days = {"start_date": "2026-11-12", "end_date": "2026-11-15"}
    told = rows(fresh, "report/integrated/get", **{**REPORT, **days})
    assert {row["campaign_name"] for key, row in told.items() if key[1] == "1810000000000101"} == {"Spark | winter"}
    (account,) = get(fresh, "advertiser/info", advertiser_ids=json.dumps([ACCOUNT]))["data"]["list"]
    assert account["status"] == "STATUS_DISABLE"


def test_sums_are_those_of_the_days(sandbox: Client) -> None:
    by_day = rows(sandbox, "report/integrated/get", **REPORT, filtering=json.dumps(EVERYTHING))
    asked = {**REPORT, "metrics": '["spend", "impressions"]'}
    for level, dimension in (("AUCTION_CAMPAIGN", "campaign_id"), ("AUCTION_ADVERTISER", "advertiser_id")):
        filtering = json.dumps(EVERYTHING) if level == "AUCTION_CAMPAIGN" else "[]"
        summed = {**asked, "data_level": level, "dimensions": f'["{dimension}"]', "filtering": filtering}
        found = get(sandbox, "report/integrated/get", **summed)["data"]["list"]
        assert sum(Decimal(row["metrics"]["spend"]) for row in found) == sum(
            Decimal(row["spend"]) for row in by_day.values()
        )


def test_where_there_is_nothing_one_list_is_empty_and_the_other_is_left_out(sandbox: Client) -> None:
    before = {"start_date": "2026-01-01", "end_date": "2026-01-02"}
    assert get(sandbox, "report/integrated/get", **{**REPORT, **before})["data"] == {
        "list": [],
        "page_info": {"page": 1, "page_size": 1000, "total_number": 0, "total_page": 0},
    }
    for asked in (before, {"filtering": '{"gmv_max_promotion_types": ["LIVE"]}'}):
        assert set(get(sandbox, "gmv_max/report/get", **{**GMV_MAX_REPORT, **asked})["data"]) == {"page_info"}


# The requests below are the examples of the vendor's documentation, and the names those of its answers; the vendor's
# client has no method for the second one.
DOCUMENTED = {
    "gmv_max/report/get": (
        {
            "store_ids": '["{store_id}"]', "start_date": "2026-11-01", "end_date": "2026-11-03",
            "dimensions": '["campaign_id", "stat_time_day"]',
            "metrics": '["campaign_id", "operation_status", "campaign_name", "cost", "net_cost", "orders", '
            '"cost_per_order", "gross_revenue", "roi"]',
            "filtering": '{"gmv_max_promotion_types": ["PRODUCT"]}', "page": "1", "page_size": "1000",
        },
        {
            "dimensions": {"campaign_id", "stat_time_day"},
            "metrics": {
                "campaign_id", "operation_status", "campaign_name", "cost", "net_cost", "orders", "cost_per_order",
                "gross_revenue", "roi",
            },
        },
    ),
    "gmv_max/campaign/get": (
        {"filtering": '{"gmv_max_promotion_types": ["PRODUCT_GMV_MAX"]}'},
        {
            "advertiser_id", "campaign_id", "campaign_name", "operation_status", "create_time", "modify_time",
            "objective_type", "secondary_status",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", DOCUMENTED)
def test_documented_requests_have_documented_answers(sandbox: Client, path: str) -> None:
    asked, names = DOCUMENTED[path]
    sent = {name: value.replace("{store_id}", STORE) for name, value in asked.items()}
    data = get(sandbox, path, advertiser_id=ACCOUNT, **sent)["data"]
    assert set(data) == {"list", "page_info"}
    assert set(data["page_info"]) == {"page", "page_size", "total_number", "total_page"}
    for one in data["list"]:
        if isinstance(names, dict):
            assert {name: set(one[name]) for name in one} == names
            assert all(isinstance(value, str) for value in one["metrics"].values())
            assert one["dimensions"]["stat_time_day"][10:] == " 00:00:00"
        else:
            assert set(one) == names
            assert one["objective_type"] == "PRODUCT_SALES"
    assert data["list"]


def test_what_the_vendor_does_not_take_is_refused_by_its_name(sandbox: Client) -> None:
    report, gmv_max, campaigns = "report/integrated/get", "gmv_max/report/get", "gmv_max/campaign/get"
    everything: list[tuple[str, dict[str, str], dict[str, str], int, str]] = [
        (report, REPORT, {"advertiser_id": "7110000000000000002"}, 40001, "No permission to operate advertiser"),
        (report, REPORT, {"advertiser_id": "abc"}, 40002, "advertiser_id: Not a valid integer"),
        (report, REPORT, {"advertiser_id": ""}, 40002, "advertiser_id: Missing data"),
        (report, REPORT, {"report_type": "CATALOG"}, 40002, "report_type"),
        (report, REPORT, {"data_level": "CAMPAIGN"}, 40002, "data_level"),
        (report, REPORT, {"dimensions": "campaign_id"}, 40002, "dimensions: Field must be set to list"),
        (report, REPORT, {"dimensions": "[1]"}, 40002, "dimensions: Not a valid list of strings"),
        (report, REPORT, {"dimensions": '["stat_time_day"]'}, 40002, "campaign_id is required"),
        (report, REPORT, {"dimensions": '["campaign_id", "ad_id"]'}, 40002, "Invalid dimension fields: ['ad_id']"),
        (report, REPORT, {"metrics": '["spend", "ad_name"]'}, 40002, "Invalid metric fields: ['ad_name']"),
        (report, REPORT, {"metrics": '["spend"'}, 40002, "metrics: Field must be set to list"),
        (
            report, REPORT, {"data_level": "AUCTION_ADVERTISER", "dimensions": '["advertiser_id"]'}, 40002,
            "Invalid metric fields: ['campaign_name']",
        ),
        (report, REPORT, {"start_date": "2026-10-16"}, 40002, "cannot exceed 30 days"),
        (report, REPORT, {"start_date": "20261019"}, 40002, "start_date: Not a valid date"),
        (report, REPORT, {"start_date": "2026-11-16"}, 40002, "must not be earlier"),
        (report, REPORT, {"page_size": "1001"}, 40002, "page_size: Must be between 1 and 1000"),
        (report, REPORT, {"page": "0"}, 40002, "page: Must be at least 1"),
        (report, REPORT, {"page": "one"}, 40002, "page: Not a valid integer"),
        (report, REPORT, {"order_field": "campaign_name"}, 40002, "order_field"),
        (report, REPORT, {"filtering": '{"campaign_status": "STATUS_ALL"}'}, 40002, "filtering: Field must be"),
        (report, REPORT, {"filtering": '[{"field_name": "campaign_status"}]'}, 40002, "are required"),
        (report, REPORT, {"filtering": json.dumps(EVERYTHING).replace("_ALL", "_ANY")}, 40002, "STATUS_ANY"),
        (gmv_max, GMV_MAX_REPORT, {"store_ids": "[]"}, 40002, "store_ids: Missing data"),
        (gmv_max, GMV_MAX_REPORT, {"store_ids": f'["{STORE}", "2"]'}, 40002, "store_ids: Length"),
        (gmv_max, GMV_MAX_REPORT, {"store_ids": '["2"]'}, 40002, "The store 2 does not exist"),
        (gmv_max, GMV_MAX_REPORT, {"filtering": "{}"}, 40002, "gmv_max_promotion_types"),
        (gmv_max, GMV_MAX_REPORT, {"filtering": "[]"}, 40002, "filtering: Field must be set to object"),
        (gmv_max, GMV_MAX_REPORT, {"metrics": '["spend"]'}, 40002, "Invalid metric fields: ['spend']"),
        (gmv_max, GMV_MAX_REPORT, {"start_date": "2026-10-16"}, 40002, "cannot exceed 30 days"),
        (campaigns, {"advertiser_id": ACCOUNT}, {"filtering": "{}"}, 40002, "gmv_max_promotion_types"),
        (
            campaigns, {"advertiser_id": ACCOUNT, "filtering": DOCUMENTED[campaigns][0]["filtering"]},
            {"page_size": "101"}, 40002, "page_size: Must be between 1 and 100",
        ),
        ("campaign/get", {"advertiser_id": ACCOUNT}, {"fields": '["status"]'}, 40002, "Invalid fields: ['status']"),
        ("campaign/get", {"advertiser_id": ACCOUNT}, {"filtering": '{"ids": []}'}, 40002, "['ids']"),
        ("advertiser/info", {}, {"advertiser_ids": f'["{ACCOUNT}", "5"]'}, 40001, "No permission to operate"),
    ]  # fmt: skip
    for path, asked, changed, code, says in everything:
        answer = get(sandbox, path, **{**asked, **changed})
        assert (answer["code"], answer["data"]) == (code, {}), (changed, answer)
        assert says in answer["message"], changed
    for token, code in ((None, 40104), ("tta_other", 40105)):
        assert get(sandbox, "advertiser/info", token, advertiser_ids=f'["{ACCOUNT}"]')["code"] == code


def test_requests_are_refused_as_often_as_somebody_wants(fresh: Client) -> None:
    asked = {"advertiser_ids": f'["{ACCOUNT}"]'}
    fresh.admin("POST", "/tiktok_ads/refuse", {"code": 40100, "times": 2})
    fresh.admin("POST", "/tiktok_ads/refuse", {"code": 50000, "message": "Oh."})
    answers = [get(fresh, "advertiser/info", **asked) for _ in range(4)]
    assert [answer["code"] for answer in answers] == [40100, 40100, 50000, 0]
    assert [answer["message"] for answer in answers[1:3]] == [
        "Too many requests by this developer. Please retry in some time.", "Oh.",
    ]  # fmt: skip
    fresh.admin("POST", "/tiktok_ads/revoke", {"merchant": "aurora"})
    assert get(fresh, "advertiser/info", **asked)["code"] == 40105
    fresh.admin("POST", "/tiktok_ads/revoke", {"merchant": "aurora", "revoked": False})
    assert get(fresh, "advertiser/info", **asked)["code"] == 0
    assert fresh.admin("GET", "/tiktok_ads/requests") == {"requests": 6}
