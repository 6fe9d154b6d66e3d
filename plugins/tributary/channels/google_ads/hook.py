"""Hook for the Google Ads API."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from tributary.channels.connections import address, number, numbers, required, tried
from tributary.channels.google_ads.diagnosis import diagnose
from tributary.channels.google_ads.settings import API_HOST, TOKEN_URI, Settings
from tributary.channels.google_ads.token import Secrets
from tributary.channels.vendor_quotas import SharedQuota
from tributary.http import RetryPolicy, Timeouts

if TYPE_CHECKING:
    import psycopg

    from tributary.channels.google_ads.api import GoogleAdsApi

_NUMBER, _FORM = "ten digits, as Google Ads shows them (123-456-7890)", "[0-9]{10}|[0-9]{3}-[0-9]{3}-[0-9]{4}"
"""What an account's number is called, and what it looks like."""


class GoogleAdsHook(BaseHook):
    """
    Reads the campaigns of Google Ads accounts.

    .. code-block:: python

        api = GoogleAdsHook("google_ads_aurora").get_conn()
        api.accounts()

    :param google_ads_conn_id: Airflow connection of type ``google_ads``: login and password are an OAuth client's id
        and secret, the extra field ``refresh_token`` is what a user of the accounts authorised it with.
        ``customer_ids`` are the accounts' numbers, ``login_customer_id`` is that of the manager account that they are
        reached through, if any. ``developer_token`` may be left out; ``api_host`` and ``token_uri`` say where Google
        is.
    :param warehouse_conn_id: The warehouse's connection, where all tasks see that the project's quota is used up.
    """

    conn_name_attr = "google_ads_conn_id"
    default_conn_name = "google_ads_default"
    conn_type = "google_ads"
    hook_name = "Google Ads"

    def __init__(
        self, google_ads_conn_id: str = default_conn_name, *, warehouse_conn_id: str = "warehouse", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.google_ads_conn_id = google_ads_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    @cached_property
    def client(self) -> GoogleAdsApi:
        """The accounts' API, with the patience of a scheduled sync."""
        return self._api(Timeouts(), RetryPolicy())

    def get_conn(self) -> GoogleAdsApi:
        """Return the accounts' API (cached)."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection once, quickly, and say what is missing."""
        return tried(self._api, diagnose)

    def _api(self, timeouts: Timeouts, retry: RetryPolicy) -> GoogleAdsApi:
        connection = self.get_connection(self.google_ads_conn_id)
        extra = connection.extra_dejson
        manager = _text(extra, "login_customer_id")
        settings = Settings(
            secrets=Secrets(
                self._required("login", connection.login, "the OAuth client's id (....apps.googleusercontent.com)"),
                self._required("password", connection.password, "the OAuth client's secret"),
                self._required("extra field refresh_token", extra.get("refresh_token"), "the user's refresh token"),
            ),
            customer_ids=numbers(self.google_ads_conn_id, "customer_ids", extra.get("customer_ids"), _NUMBER, _FORM),
            login_customer_id=number(self.google_ads_conn_id, "login_customer_id", manager, _NUMBER, _FORM)
            if manager
            else "",
            developer_token=_text(extra, "developer_token"),
            host=address(_text(extra, "api_host") or API_HOST),
            token_uri=address(_text(extra, "token_uri") or TOKEN_URI),
            timeouts=timeouts,
            retry=retry,
        )
        quota = SharedQuota(
            connect=self._warehouse,
            account=f"google_ads/{settings.secrets.client_id}",
            quota="operations",
            retry=retry,
        )
        return settings.api(quota, mask=mask_secret)

    def _required(self, name: str, value: object, meaning: str) -> str:
        return required(self.google_ads_conn_id, name, value, meaning)

    def _warehouse(self) -> psycopg.Connection:
        return cast("psycopg.Connection", PostgresHook(postgres_conn_id=self.warehouse_conn_id).get_conn())


def _text(extra: dict[str, Any], name: str) -> str:
    return str(extra.get(name) or "").strip()
