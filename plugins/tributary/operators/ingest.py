"""The operators of ingestion: which merchant streams there are, and moving one of them into raw."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tributary.channels import channel as declared
from tributary.operators.vendor import vendor
from tributary.operators.warehouse import warehouse
from tributary.paths import CONFIG
from tributary.warehouse.settings.files import load_all_settings
from tributary.warehouse.settings.tables import apply_settings
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class PlanSyncsOperator(BaseOperator):
    """Applies the files of settings to the warehouse and lists what this channel has to sync.

    :param channel: The channel's name.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(self, *, channel: str, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return one entry per merchant and stream, for the mapped tasks that follow."""
        channel, settings = declared(self.channel), load_all_settings(CONFIG)
        with warehouse(self.warehouse_conn_id) as conn:
            apply_settings(conn, settings)
        return [
            {
                "merchant_id": merchant.merchant_id,
                "connection": merchant.channels[channel.name],
                "stream": stream.name,
                "history_start": merchant.history_start.isoformat(),
                "datasets": [f"{channel.name}_{name}" for name in (stream.name, *stream.children)],
            }
            for merchant in settings.merchants
            if channel.name in merchant.channels
            for stream in channel.streams
        ]


class SyncOperator(BaseOperator):
    """Moves what changed in one stream of one merchant into raw, slice by slice.

    :param channel: The channel's name.
    :param merchant_id: Whose records these are. (templated)
    :param connection: The merchant's connection at the vendor. (templated)
    :param stream: The stream's name. (templated)
    :param history_start: The first day that the very first sync reads, as an ISO date. (templated)
    :param warehouse_conn_id: The warehouse's connection.
    """

    template_fields: Sequence[str] = ("merchant_id", "connection", "stream", "history_start")

    def __init__(
        self,
        *,
        channel: str,
        merchant_id: str,
        connection: str,
        stream: str,
        history_start: str,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.merchant_id = merchant_id
        self.connection = connection
        self.stream = stream
        self.history_start = history_start
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Sync and return what it did."""
        channel = declared(self.channel)
        report = sync_stream(
            partial(warehouse, self.warehouse_conn_id),
            vendor(channel, self.connection),
            channel,
            channel.stream(self.stream),
            self.merchant_id,
            now=None,
            history_start=datetime.fromisoformat(self.history_start).replace(tzinfo=UTC),
        )
        self.log.info("%s", report)
        return asdict(report)
