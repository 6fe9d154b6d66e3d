"""Hook for the Data API of Google Analytics 4."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from tributary.channels.connections import address, required, tried
from tributary.channels.ga4.diagnosis import diagnose
from tributary.channels.ga4.settings import API_HOST, TRANSPORTS, Settings
from tributary.channels.vendor_quotas import SharedQuota
from tributary.http import RetryPolicy, Timeouts

if TYPE_CHECKING:
    import psycopg

    from tributary.channels.ga4.api import Ga4Api


class Ga4Hook(BaseHook):
    """
    Reads the reports of one Google Analytics 4 property.

    .. code-block:: python

        api = Ga4Hook("ga4_aurora").get_conn()
        api.report(SESSIONS, date(2026, 11, 3))

    :param ga4_conn_id: Airflow connection of type ``ga4``: the password is the JSON key file of a service account that
        has the role Viewer for the property. The extra field ``property_id`` is the property's number; ``transport``
        (``rest`` or ``grpc``) and ``api_host`` say how and where it is reached.
    :param warehouse_conn_id: The warehouse's connection, where all tasks see that the property's tokens are used up.
    """

    conn_name_attr = "ga4_conn_id"
    default_conn_name = "ga4_default"
    conn_type = "ga4"
    hook_name = "Google Analytics 4"

    def __init__(
        self, ga4_conn_id: str = default_conn_name, *, warehouse_conn_id: str = "warehouse", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.ga4_conn_id = ga4_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    @cached_property
    def client(self) -> Ga4Api:
        """The property's API, with the patience of a scheduled sync."""
        return self._api(Timeouts(), RetryPolicy())

    def get_conn(self) -> Ga4Api:
        """Return the property's API (cached)."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection once, quickly, and say what is missing."""
        return tried(self._api, diagnose)

    def _api(self, timeouts: Timeouts, retry: RetryPolicy) -> Ga4Api:
        connection = self.get_connection(self.ga4_conn_id)
        extra = connection.extra_dejson
        settings = Settings(
            keyfile=required(
                self.ga4_conn_id, "password", connection.password, "the service account's key file (JSON)"
            ),
            property_id=self._property_id(extra),
            host=address(str(extra.get("api_host") or "").strip() or API_HOST),
            transport=self._transport(extra),
            timeouts=timeouts,
            retry=retry,
        )
        account = f"ga4/properties/{settings.property_id}"
        quota = SharedQuota(connect=self._warehouse, account=account, quota="tokens", retry=retry)
        try:
            return settings.api(quota, mask=mask_secret)
        except ValueError as error:
            raise ValueError(f"The password of connection {self.ga4_conn_id!r} {error}") from None

    def _property_id(self, extra: dict[str, Any]) -> str:
        text = required(self.ga4_conn_id, "extra field property_id", extra.get("property_id"), "the property's number")
        if not re.fullmatch(r"[0-9]+", text):
            raise ValueError(
                f"Connection {self.ga4_conn_id!r}: the extra field property_id is {text!r}; put in the property's "
                "number, as Google Analytics shows it under Admin, Property details (not the measurement id G-...)."
            )
        return text

    def _transport(self, extra: dict[str, Any]) -> str:
        text = str(extra.get("transport") or "").strip().lower() or TRANSPORTS[0]
        if text not in TRANSPORTS:
            raise ValueError(
                f"Connection {self.ga4_conn_id!r}: the extra field transport is {text!r}; put in rest or grpc, or "
                "leave it empty for rest."
            )
        return text

    def _warehouse(self) -> psycopg.Connection:
        return cast("psycopg.Connection", PostgresHook(postgres_conn_id=self.warehouse_conn_id).get_conn())
