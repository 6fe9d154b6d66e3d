"""Hook for Klaviyo's API."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from tributary.channels.connections import address, required, tried
from tributary.channels.klaviyo.api import HOST, KlaviyoApi
from tributary.channels.klaviyo.diagnosis import diagnose
from tributary.channels.klaviyo.limits import REPORT_WINDOWS, REPORTS, Limits
from tributary.channels.vendor_quotas import SharedQuota
from tributary.http import HttpClient, Redactor, RetryPolicy, Timeouts

if TYPE_CHECKING:
    import psycopg


class KlaviyoHook(BaseHook):
    """
    Reads one Klaviyo account.

    .. code-block:: python

        api = KlaviyoHook("klaviyo_aurora").get_conn()
        api.get("/api/flows", {"page[size]": "10"}, budget="flows")

    :param klaviyo_conn_id: Airflow connection of type ``klaviyo``: the password is a private key (``pk_...``) that may
        read accounts, campaigns, events, flows, metrics and profiles. The extra field ``conversion_metric_id`` says
        which metric's events are conversions; empty means the metric "Placed Order".
    :param warehouse_conn_id: The warehouse's connection; all tasks count there the reports that they ask for.
    """

    conn_name_attr = "klaviyo_conn_id"
    default_conn_name = "klaviyo_default"
    conn_type = "klaviyo"
    hook_name = "Klaviyo"

    def __init__(
        self, klaviyo_conn_id: str = default_conn_name, *, warehouse_conn_id: str = "warehouse", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.klaviyo_conn_id = klaviyo_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    @cached_property
    def client(self) -> KlaviyoApi:
        """The account's API, with the patience of a scheduled sync."""
        return self._api(Timeouts(), RetryPolicy())

    def get_conn(self) -> KlaviyoApi:
        """Return the account's API (cached)."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection once, quickly, and say what is missing."""
        return tried(self._api, diagnose)

    def _api(self, timeouts: Timeouts, retry: RetryPolicy) -> KlaviyoApi:
        connection = self.get_connection(self.klaviyo_conn_id)
        extra = connection.extra_dejson
        meaning = "a private key of the account (pk_...)"
        key = required(self.klaviyo_conn_id, "password", connection.password, meaning)
        mask_secret(key)
        quota = SharedQuota(
            connect=self._warehouse,
            account=f"klaviyo/{hashlib.sha256(key.encode()).hexdigest()[:16]}",
            quota=REPORTS,
            windows=REPORT_WINDOWS,
        )
        limits = Limits({REPORTS: quota})
        client = HttpClient(
            redact=Redactor([key]),
            budgets=limits.budgets,
            quotas=limits.quotas,
            explain=limits.explain,
            timeouts=timeouts,
            retry=retry,
        )
        host = address(str(extra.get("api_host") or "").strip() or HOST)
        return KlaviyoApi(client, limits, host, key, str(extra.get("conversion_metric_id") or "").strip() or None)

    def _warehouse(self) -> psycopg.Connection:
        return cast("psycopg.Connection", PostgresHook(postgres_conn_id=self.warehouse_conn_id).get_conn())
