"""Hook for Meta's Marketing API."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from tributary.channels.connections import address, numbers, required, tried
from tributary.channels.meta_ads.api import HOST, MetaAdsApi, smoothing
from tributary.channels.meta_ads.diagnosis import diagnose
from tributary.channels.meta_ads.refusals import explain
from tributary.channels.vendor_quotas import SharedQuota
from tributary.http import HttpClient, Redactor, RetryPolicy, Timeouts

if TYPE_CHECKING:
    import psycopg


class MetaAdsHook(BaseHook):
    """
    Reads the campaigns' days of Meta's ad accounts.

    .. code-block:: python

        api = MetaAdsHook("meta_ads_aurora").get_conn()
        api.accounts()

    :param meta_ads_conn_id: Airflow connection of type ``meta_ads``: the password is an access token with the
        permission ``ads_read``. The extra field ``account_ids`` names the ad accounts, separated by commas;
        ``app_secret`` is the app's secret, where the app requires its proof.
    :param warehouse_conn_id: The warehouse's connection, where all tasks see until when an account may not be asked.
    """

    conn_name_attr = "meta_ads_conn_id"
    default_conn_name = "meta_ads_default"
    conn_type = "meta_ads"
    hook_name = "Meta Ads"

    def __init__(
        self, meta_ads_conn_id: str = default_conn_name, *, warehouse_conn_id: str = "warehouse", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.meta_ads_conn_id = meta_ads_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    @cached_property
    def client(self) -> MetaAdsApi:
        """The accounts' API, with the patience of a scheduled sync."""
        return self._api(Timeouts(), RetryPolicy())

    def get_conn(self) -> MetaAdsApi:
        """Return the accounts' API (cached)."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection once, quickly, and say what is missing."""
        return tried(self._api, diagnose)

    def _api(self, timeouts: Timeouts, retry: RetryPolicy) -> MetaAdsApi:
        connection = self.get_connection(self.meta_ads_conn_id)
        extra = connection.extra_dejson
        token = required(self.meta_ads_conn_id, "password", connection.password, "an access token with ads_read")
        app_secret = str(extra.get("app_secret") or "").strip() or None
        secrets = [secret for secret in (token, app_secret) if secret]
        for secret in secrets:
            mask_secret(secret)
        quotas = {
            account_id: SharedQuota(
                connect=self._warehouse, account=f"meta_ads/act_{account_id}", quota="insights", retry=retry
            )
            for account_id in numbers(
                self.meta_ads_conn_id,
                "account_ids",
                extra.get("account_ids"),
                "the ids of the ad accounts, as Meta's Ads Manager shows them (with or without act_)",
                form="(act_)?[0-9]{1,20}",
            )
        }
        client = HttpClient(
            redact=Redactor(secrets),
            budgets={account_id: smoothing() for account_id in quotas},
            quotas=quotas,
            explain=explain,
            timeouts=timeouts,
            retry=retry,
        )
        host = address(str(extra.get("api_host") or "").strip() or HOST)
        return MetaAdsApi(client, quotas, host, token, app_secret)

    def _warehouse(self) -> psycopg.Connection:
        return cast("psycopg.Connection", PostgresHook(postgres_conn_id=self.warehouse_conn_id).get_conn())
