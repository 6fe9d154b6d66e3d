"""Hook for the Accounts API of TikTok for Business."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook
from airflow.sdk.crypto import get_fernet
from airflow.sdk.log import mask_secret

from tributary.channels.connections import address, required, tried
from tributary.channels.tiktok_organic.api import API_HOST, TikTokOrganicApi, budgets
from tributary.channels.tiktok_organic.diagnosis import diagnose
from tributary.channels.tiktok_organic.refusals import explain
from tributary.channels.tiktok_organic.token import refreshed
from tributary.channels.vendor_tokens import StoredTokens
from tributary.http import HttpClient, Redactor, RetryPolicy, Timeouts

if TYPE_CHECKING:
    import psycopg


class TikTokOrganicHook(BaseHook):
    """
    Reads the videos of one TikTok account through the Accounts API of TikTok for Business.

    .. code-block:: python

        api = TikTokOrganicHook("tiktok_organic_aurora").get_conn()
        api.videos(cursor=None)

    :param tiktok_organic_conn_id: Airflow connection of type ``tiktok_organic``: the login is the app's client id, the
        password its secret. The extra fields ``refresh_token`` and ``business_id`` (the ``open_id``) are what the
        account's authorisation brought; the pairs that follow it live encrypted in the warehouse.
    :param warehouse_conn_id: The warehouse's connection.
    """

    conn_name_attr = "tiktok_organic_conn_id"
    default_conn_name = "tiktok_organic_default"
    conn_type = "tiktok_organic"
    hook_name = "TikTok (organic)"

    def __init__(
        self, tiktok_organic_conn_id: str = default_conn_name, *, warehouse_conn_id: str = "warehouse", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.tiktok_organic_conn_id = tiktok_organic_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    @cached_property
    def client(self) -> TikTokOrganicApi:
        """The account's API, with the patience of a scheduled sync."""
        return self._api(Timeouts(), RetryPolicy())

    def get_conn(self) -> TikTokOrganicApi:
        """Return the account's API (cached)."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection once, quickly, and say what is missing. A pair that has to be renewed is stored."""
        return tried(partial(self._api, is_trial=True), diagnose)

    def _api(self, timeouts: Timeouts, retry: RetryPolicy, is_trial: bool = False) -> TikTokOrganicApi:
        connection = self.get_connection(self.tiktok_organic_conn_id)
        extra = connection.extra_dejson
        client_id = required(self.tiktok_organic_conn_id, "login", connection.login, "the app's client id")
        client_secret = required(self.tiktok_organic_conn_id, "password", connection.password, "the app's secret")
        refresh_token = required(
            self.tiktok_organic_conn_id,
            "extra field refresh_token",
            extra.get("refresh_token"),
            "the account's refresh token",
        )
        business_id = required(
            self.tiktok_organic_conn_id, "extra field business_id", extra.get("business_id"), "the account's open_id"
        )
        for secret in (client_secret, refresh_token):
            mask_secret(secret)
        host = address(str(extra.get("api_host") or "").strip() or API_HOST)
        client = HttpClient(
            redact=Redactor([client_secret, refresh_token]),
            budgets=budgets(),
            explain=explain,
            timeouts=timeouts,
            retry=retry,
        )
        tokens = StoredTokens(
            connect=self._warehouse,
            cipher=get_fernet(),
            connection_id=self.tiktok_organic_conn_id,
            app_key=client_id,
            first=refresh_token,
            refresh=lambda token: refreshed(client, host, client_id, client_secret, token),
            redact=client.redact,
            mask=mask_secret,
            is_trial=is_trial,
        )
        return TikTokOrganicApi(client, host, business_id, tokens)

    def _warehouse(self) -> psycopg.Connection:
        return cast("psycopg.Connection", PostgresHook(postgres_conn_id=self.warehouse_conn_id).get_conn())
