"""The CSV files of settings: those that come with the project, and what is said about a mistake in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.business.merchants import AURORA, MERCHANTS
from tributary.paths import CONFIG
from tributary.warehouse.settings.files import (
    PRODUCT_COSTS,
    PROMOTIONS,
    REFERRERS,
    TRAFFIC_SOURCES,
    Row,
    SettingsFile,
    load_all_settings,
    load_rows,
)
from tributary.warehouse.settings.merchants import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: Path, file: SettingsFile, text: str | bytes) -> list[Row]:
    content = text.encode() if isinstance(text, str) else text
    (folder / file.name).write_bytes(content)
    return load_rows(folder, file, ["aurora", "nordlicht"])


def test_the_files_of_the_project_cover_how_people_find_its_shops() -> None:
    settings = load_all_settings(CONFIG)

    channels = {row[:2]: row[2] for row in settings.traffic_sources}
    domains = {row[0]: row[1:] for row in settings.referrers}
    for merchant in MERCHANTS:
        for source in merchant.sources:
            name, medium = source.source.lower(), source.medium
            assert {(name, medium), (name, "*"), ("*", medium)} & channels.keys(), source
            if source.referrer and not source.tagged and source.click_id is None and medium != "referral":
                host = source.referrer.split("/")[2].removeprefix("www.")
                assert domains[host] == (name, medium), source
    assert {row[1] for row in settings.product_costs} == {product.sku for product in AURORA.products}
    assert {row[0] for row in settings.product_costs} == {"aurora"}


def test_words_are_compared_in_lower_case_and_skus_as_they_are(tmp_path: Path) -> None:
    source = (
        "source,medium,channel,is_paid,ad_platform\nGoogle, CPC,google_ads,TRUE,google_ads\n\nshop,*,other,false,\n"
    )
    assert load(tmp_path, TRAFFIC_SOURCES, source) == [
        ("google", "cpc", "google_ads", True, "google_ads"),
        ("shop", "*", "other", False, None),
    ]
    assert load(tmp_path, REFERRERS, "domain,source,medium\nwww.Bing.com,Bing,organic\n") == [
        ("bing.com", "bing", "organic")
    ]
    costs = b'\xef\xbb\xbfmerchant_id,sku,valid_from,unit_cost\r\naurora," Mug, Blue",2026-01-01,0.5\r\n'
    sales = 'merchant_id,starts_on,ends_on,name\naurora,2026-10-01,2026-12-01,"Autumn, all of it"\n'
    assert load(tmp_path, PROMOTIONS, sales) == [("aurora", "2026-10-01", "2026-12-01", "Autumn, all of it")]
    assert load(tmp_path, PRODUCT_COSTS, costs) == [("aurora", "Mug, Blue", "2026-01-01", "0.5")]


COSTS, SOURCES, DOMAINS, SALES = (
    ",".join(file.columns) + "\n" for file in (PRODUCT_COSTS, TRAFFIC_SOURCES, REFERRERS, PROMOTIONS)
)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (PRODUCT_COSTS, COSTS + "aurroa,A,2026-01-01,1", r"line 2: merchant_id is 'aurroa'; .* has aurora, nordlicht"),
        (PRODUCT_COSTS, COSTS + "aurora,,2026-01-01,1", r"line 2: sku is ''; write the SKU"),
        (PRODUCT_COSTS, COSTS + "aurora,A,2026-02-30,1", r"valid_from is '2026-02-30'; .* such as 2026-08-01"),
        (PRODUCT_COSTS, COSTS + "aurora,A,20260101,1", r"valid_from is '20260101'; .* such as 2026-08-01"),
        (PRODUCT_COSTS, COSTS + "aurora,A,2026-01-01,-1", r"unit_cost is '-1'; it must be 0 or more"),
        (PRODUCT_COSTS, COSTS + 'aurora,A,2026-01-01,"12,50"', r"unit_cost is '12,50'; .* a point"),
        (PRODUCT_COSTS, COSTS + "aurora,A,2026-01-01,NaN", r"unit_cost is 'NaN'; .* such as 12.50"),
        (PRODUCT_COSTS, COSTS + "aurora,A,2026-01-01", r"line 2: it has 3 values; it must have 4: merchant_id,sku,"),
        (PRODUCT_COSTS, COSTS + "aurora,A\u200b,2026-01-01,1", r"sku is 'A\\u200b'; it has a character that cannot"),
        (
            PRODUCT_COSTS,
            COSTS + "aurora,A,2026-01-01,1\naurora,A,2026-02-01,1\naurora,A ,2026-01-01,2",
            r"line 4: merchant_id 'aurora', sku 'A', valid_from '2026-01-01' is in line 2 too; keep one",
        ),
        (TRAFFIC_SOURCES, SOURCES + "a,b,google,false,", r"channel is 'google'; known are meta_ads, google_ads"),
        (TRAFFIC_SOURCES, SOURCES + "a,,email,false,", r"medium is ''; write a word, or \* for any"),
        (TRAFFIC_SOURCES, SOURCES + "a,b,email,no,", r"is_paid is 'no'; it must be true or false"),
        (TRAFFIC_SOURCES, SOURCES + "a,b,paid_other,false,", r"is_paid is 'false'; the channel paid_other is paid"),
        (TRAFFIC_SOURCES, SOURCES + "a,b,meta_ads,true,meta", r"ad_platform is 'meta'; known are meta_ads, .* empty"),
        (TRAFFIC_SOURCES, SOURCES + "a,b,meta_ads,true,", r"ad_platform is ''; .* it must be meta_ads"),
        (TRAFFIC_SOURCES, SOURCES + "a,b,email,false,meta_ads", r"ad_platform is 'meta_ads'; .* it must be empty"),
        (TRAFFIC_SOURCES, SOURCES + "a,b,email,false,\nA,B,sms,false,", r"line 3: source 'a', medium 'b' is in line 2"),
        (REFERRERS, DOMAINS + "https://bing.com/,bing,organic", r"domain is 'https://bing.com/'; .* a host alone"),
        (REFERRERS, DOMAINS + "bing.com,bing,", r"medium is ''; write the word"),
        (REFERRERS, DOMAINS + "bing.com,a,b\nwww.bing.com,a,b", r"line 3: domain 'bing.com' is in line 2 too"),
        (PROMOTIONS, SALES + "aurroa,2026-11-27,2026-11-30,Sale", r"line 2: merchant_id is 'aurroa'; .* has aurora,"),
        (PROMOTIONS, SALES + "aurora,27.11.2026,2026-11-30,Sale", r"starts_on is '27.11.2026'; .* such as 2026-08-01"),
        (PROMOTIONS, SALES + "aurora,2026-11-27,,Sale", r"ends_on is ''; it must be its last day, such as 2026-08-01"),
        (PROMOTIONS, SALES + "aurora,2026-11-27,2026-11-26,Sale", r"ends_on is '2026-11-26'; .* before .*, 2026-11-27"),
        (PROMOTIONS, SALES + "aurora,2026-11-27,2027-11-30,Sale", r"ends_on is '2027-11-30'; .* 62 days, .* the year"),
        (PROMOTIONS, SALES + "aurora,2026-11-27,2026-11-30,", r"name is ''; write what people call the promotion"),
        (
            PROMOTIONS,
            SALES + "aurora,2026-11-27,2026-11-30,Sale\naurora,2026-11-27,2026-11-28,a\naurora,2026-11-27,2026-11-30,b",
            r"line 4: merchant_id 'aurora', starts_on '2026-11-27', ends_on '2026-11-30' is in line 2 too; keep one",
        ),
        (REFERRERS, "domain;source;medium\n", r"line 1: the columns are 'domain;source;medium'; they must be domain,"),
        (REFERRERS, "", r"line 1: the columns are ''; they must be domain,source,medium"),
        (REFERRERS, DOMAINS + '"bing.com', r"line 2: unexpected end of data; close each quote"),
        (REFERRERS, DOMAINS.encode() + b"b\xfccher.de,a,b", r"byte 22 is no UTF-8; save it as UTF-8"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(
    tmp_path: Path, file: SettingsFile, text: str | bytes, message: str
) -> None:
    with pytest.raises(SettingsError, match=rf"{file.name}: .*{message}"):
        load(tmp_path, file, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"referrers.csv: it is missing; create it, .* domain,source,medium"):
        load_rows(tmp_path, REFERRERS, [])
