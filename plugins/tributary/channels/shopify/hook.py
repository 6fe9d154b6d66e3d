"""Hook for Shopify's Admin GraphQL API."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from tributary.channels.connections import address, required, tried
from tributary.channels.shopify.api import API_VERSION, ShopifyApi, budgets
from tributary.channels.shopify.diagnosis import diagnose
from tributary.channels.shopify.refusals import STATUS_REMEDIES
from tributary.channels.shopify.token import ClientCredentials, StaticToken, TokenSource
from tributary.http import HttpClient, Redactor, RetryPolicy, Timeouts

if TYPE_CHECKING:
    from airflow.sdk import Connection


class ShopifyHook(BaseHook):
    """
    Reads one shop through Shopify's Admin GraphQL API.

    .. code-block:: python

        api = ShopifyHook("shopify_aurora").get_conn()
        api.execute("Shop")

    :param shopify_conn_id: Airflow connection of type ``shopify``: the host is the shop's domain (or a whole URL),
        the password an Admin API access token. Instead of a token, the extra fields ``client_id`` and
        ``client_secret`` of a Dev Dashboard app are exchanged for one. The extra field ``api_version`` is optional.
    """

    conn_name_attr = "shopify_conn_id"
    default_conn_name = "shopify_default"
    conn_type = "shopify"
    hook_name = "Shopify"

    def __init__(self, shopify_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shopify_conn_id = shopify_conn_id

    @cached_property
    def client(self) -> ShopifyApi:
        """The shop's API, with the patience of a scheduled sync."""
        return self._api(Timeouts(), RetryPolicy())

    def get_conn(self) -> ShopifyApi:
        """Return the shop's API (cached)."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection once, quickly, and say what is missing."""
        return tried(self._api, diagnose)

    def _api(self, timeouts: Timeouts, retry: RetryPolicy) -> ShopifyApi:
        connection = self.get_connection(self.shopify_conn_id)
        extra = connection.extra_dejson
        secrets = [secret for secret in (connection.password, extra.get("client_secret")) if secret]
        client = HttpClient(
            redact=Redactor(secrets), budgets=budgets(), remedies=STATUS_REMEDIES, timeouts=timeouts, retry=retry
        )
        base_url = self._base_url(connection)
        return ShopifyApi(
            client, base_url, self._token(connection, client, base_url), extra.get("api_version") or API_VERSION
        )

    def _base_url(self, connection: Connection) -> str:
        meaning = "the shop's domain, as my-shop.myshopify.com"
        return address(required(self.shopify_conn_id, "host", connection.host, meaning))

    def _token(self, connection: Connection, client: HttpClient, base_url: str) -> TokenSource:
        if connection.password:
            return StaticToken(connection.password)
        extra = connection.extra_dejson
        if extra.get("client_id") and extra.get("client_secret"):
            return ClientCredentials(client, base_url, extra["client_id"], extra["client_secret"])
        raise ValueError(
            f"Connection {self.shopify_conn_id!r} has neither a password (an Admin API access token) nor both extra "
            "fields client_id and client_secret (a Dev Dashboard app); put in one of the two."
        )
