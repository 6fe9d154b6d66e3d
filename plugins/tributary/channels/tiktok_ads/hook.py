"""Hook for TikTok Ads."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from tributary.channels.connections import address, numbers, required, tried
from tributary.channels.tiktok_ads.api import API_HOST, TikTokAdsApi, budgets
from tributary.channels.tiktok_ads.diagnosis import diagnose
from tributary.channels.tiktok_ads.refusals import explain
from tributary.http import HttpClient, Redactor, RetryPolicy, Timeouts


class TikTokAdsHook(BaseHook):
    """
    Reads ad accounts through the Marketing API of TikTok for Business.

    .. code-block:: python

        api = TikTokAdsHook("tiktok_ads_aurora").get_conn()
        api.accounts()

    :param tiktok_ads_conn_id: Airflow connection of type ``tiktok_ads``: the password is the access token that the
        app's authorisation brought. The extra field ``advertiser_ids`` names the ad accounts, with commas between
        them.
    """

    conn_name_attr = "tiktok_ads_conn_id"
    default_conn_name = "tiktok_ads_default"
    conn_type = "tiktok_ads"
    hook_name = "TikTok Ads"

    def __init__(self, tiktok_ads_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tiktok_ads_conn_id = tiktok_ads_conn_id

    @cached_property
    def client(self) -> TikTokAdsApi:
        """The ad accounts' API, with the patience of a scheduled sync."""
        return self._api(Timeouts(), RetryPolicy())

    def get_conn(self) -> TikTokAdsApi:
        """Return the ad accounts' API (cached)."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection once, quickly, and say what is missing."""
        return tried(self._api, diagnose)

    def _api(self, timeouts: Timeouts, retry: RetryPolicy) -> TikTokAdsApi:
        connection = self.get_connection(self.tiktok_ads_conn_id)
        extra = connection.extra_dejson
        token = required(
            self.tiktok_ads_conn_id, "password", connection.password, "the access token of the app's authorisation"
        )
        mask_secret(token)
        ids = numbers(
            self.tiktok_ads_conn_id, "advertiser_ids", extra.get("advertiser_ids"), "the ids of the ad accounts"
        )
        client = HttpClient(
            redact=Redactor([token]), budgets=budgets(), explain=explain, timeouts=timeouts, retry=retry
        )
        host = address(str(extra.get("api_host") or "").strip() or API_HOST)
        return TikTokAdsApi(client, host, token, ids)
