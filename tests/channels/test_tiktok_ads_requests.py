"""What the channel asks of TikTok, against the methods of TikTok's own SDK: paths, parameters, types and encoding."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import business_api_client
import pytest
from business_api_client.models.filtering_campaign_get import FilteringCampaignGet
from business_api_client.models.filtering_gmv_max_report_get import FilteringGmvMaxReportGet
from business_api_client.models.filtering_report_integrated_get import FilteringReportIntegratedGet

from tests.channels.tiktok_ads_road import (
    ACCOUNT,
    GMV_MAX,
    INFO,
    REPORT,
    STORE,
    TOKEN,
    advertiser,
    page,
    said,
    tiktok_ads,
)
from tributary.channels.tiktok_ads.reports import campaign_days, gmv_max_days

if TYPE_CHECKING:
    from tests.http.scripted_vendor import Vendor

DAY = date(2026, 11, 19)
STORES = "/open_api/v1.3/gmv_max/store/list/"
CAMPAIGNS = "/open_api/v1.3/campaign/get/"
GMV_MAX_CAMPAIGNS = "/open_api/v1.3/gmv_max/campaign/get/"
SDK = {
    INFO: (business_api_client.AccountManagementApi, "advertiser_info"),
    REPORT: (business_api_client.ReportingApi, "report_integrated_get"),
    GMV_MAX: (business_api_client.ReportingApi, "gmv_max_report_get"),
    STORES: (business_api_client.StoreApi, "gmv_max_store_list"),
    CAMPAIGNS: (business_api_client.CampaignCreationApi, "campaign_get"),
}
PARAMETER = re.compile(r":param (\S+) (\w+):")
PLAIN = {"str": str, "int": int, "bool": bool, "list[str]": list, "list[object]": list}

Asked = tuple[str, dict[str, str], str]
"""Path, parameters and token."""


def asked(vendor: Vendor) -> list[Asked]:
    found = []
    for address, headers, _ in vendor.requests:
        parts = urlsplit(address)
        found.append((parts.path, dict(parse_qsl(parts.query)), headers["Access-Token"]))
    return found


@pytest.fixture
def ours(vendor: Vendor) -> list[Asked]:
    """A request of every kind that the channel makes."""
    api = tiktok_ads(vendor.url)
    vendor.will(
        advertiser(), said({"store_list": [{"store_id": STORE, "is_gmv_max_available": True}]}), *[page([])] * 11
    )
    [account] = api.accounts()
    api.stores(account)
    for report in (campaign_days, gmv_max_days):
        list(report(api, account, DAY, DAY))
    api.known(account, ["1810000000000101"])
    api.close()
    found = asked(vendor)
    vendor.requests.clear()
    return found


def value(text: str, kind: str) -> Any:
    """A parameter as the SDK's caller would give it."""
    if kind == "str":
        return text
    return int(text) if kind == "int" else json.loads(text)


def kinds(method: Any) -> dict[str, str]:
    """The types of a method's parameters, which only its description tells."""
    return {name: kind for kind, name in PARAMETER.findall(method.__doc__)}


def test_every_request_is_the_one_that_the_sdk_makes(ours: list[Asked], vendor: Vendor) -> None:
    assert {path for path, _, _ in ours} == {*SDK, GMV_MAX_CAMPAIGNS}
    vendor.will(said({}))
    client = business_api_client.ApiClient()
    client.configuration.host = vendor.url
    for path, query, token in ours:
        if path == GMV_MAX_CAMPAIGNS:  # The SDK has no method for it yet; see below.
            continue
        api, name = SDK[path]
        types = kinds(getattr(api, f"{name}_with_http_info"))
        values = {key: value(text, types[key]) for key, text in query.items()}
        for key, given in values.items():
            if types[key] in PLAIN:
                assert type(given) is PLAIN[types[key]], (path, key)
            if types[key] == "list[str]":
                assert all(type(item) is str for item in given), (path, key)
        getattr(api(client), name)(access_token=TOKEN, **values)
        [(sdk_path, sdk_query, sdk_token)] = asked(vendor)
        vendor.requests.clear()
        assert (sdk_path, sdk_token) == (path, token)
        assert sdk_query.keys() == query.keys()
        for key, text in query.items():
            assert value(sdk_query[key], types[key]) == value(text, types[key]), (path, key)


def test_filters_have_the_fields_of_the_sdks_models(ours: list[Asked]) -> None:
    models = {
        REPORT: FilteringReportIntegratedGet,
        GMV_MAX: FilteringGmvMaxReportGet,
        CAMPAIGNS: FilteringCampaignGet,
    }
    for path, model in models.items():
        for query in (query for one, query, _ in ours if one == path):
            given = json.loads(query["filtering"])
            assert isinstance(given, list if path == REPORT else dict)
            for one in given if path == REPORT else [given]:
                for name, held in one.items():
                    assert type(held) is PLAIN[model.swagger_types[model_name(model, name)]], (path, name)


def model_name(model: Any, sent: str) -> str:
    [name] = [name for name, written in model.attribute_map.items() if written == sent]
    return name


def test_the_request_that_the_sdk_has_no_method_for_is_the_documented_one(ours: list[Asked]) -> None:
    found = [query for path, query, _ in ours if path == GMV_MAX_CAMPAIGNS]
    assert [json.loads(query.pop("filtering")) for query in found] == [
        {"gmv_max_promotion_types": [kind], "store_ids": [STORE], "campaign_ids": ["1810000000000101"]} | status
        for kind in ("PRODUCT_GMV_MAX", "LIVE_GMV_MAX")
        for status in ({}, {"primary_status": "STATUS_DELETE"})
    ]
    assert all(
        query == {"advertiser_id": ACCOUNT, "fields": '["campaign_id"]', "page": "1", "page_size": "100"}
        for query in found
    )
