"""The operators of dead letters: which are open, and taking them up again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tributary.channels import channel as declared
from tributary.operators.vendor import vendor
from tributary.operators.warehouse import warehouse
from tributary.paths import MERCHANTS
from tributary.warehouse.replay import open_letters, replay
from tributary.warehouse.settings.merchants import load_merchants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class FindDeadLettersOperator(BaseOperator):
    """Lists the merchant streams that have open dead letters; skips the rest when there are none.

    :param channel: The channel's name. (templated)
    :param stream: The stream's name; empty for all. (templated)
    :param merchant_id: The merchant; empty for all. (templated)
    :param reason: A part of the dead letter's reason; empty for all. (templated)
    :param warehouse_conn_id: The warehouse's connection.
    """

    template_fields: Sequence[str] = ("channel", "stream", "merchant_id", "reason")

    def __init__(
        self,
        *,
        channel: str,
        stream: str,
        merchant_id: str,
        reason: str,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.stream = stream
        self.merchant_id = merchant_id
        self.reason = reason
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return one entry per merchant stream, for the mapped task that follows."""
        channel = declared(self.channel)
        if self.stream:
            channel.stream(self.stream)
        connections = {m.merchant_id: m.channels.get(channel.name) for m in load_merchants(MERCHANTS)}
        if self.merchant_id and self.merchant_id not in connections:
            raise AirflowFailException(
                f"merchant_id {self.merchant_id!r} is not in include/config/merchants.yaml; there are "
                f"{', '.join(sorted(connections))}. Leave the field empty for all of them."
            )
        with warehouse(self.warehouse_conn_id) as conn:
            found = open_letters(
                conn, channel, self.stream or None, self.merchant_id or None, self.reason.strip() or None
            )
        for letters in found:
            self.log.info("%s %s: %d open dead letters", letters.merchant_id, letters.stream, letters.letters)
        entries = [
            {"merchant_id": letters.merchant_id, "connection": connection, "stream": letters.stream}
            for letters in found
            if (connection := connections.get(letters.merchant_id))
        ]
        if not entries:
            raise AirflowSkipException("No open dead letter fits.")
        return entries


class ReplayOperator(BaseOperator):
    """Puts the dead letters of one merchant's stream through the checks and the loader again.

    :param channel: The channel's name. (templated)
    :param merchant_id: Whose records these are. (templated)
    :param connection: The merchant's connection at the vendor. (templated)
    :param stream: The stream's name. (templated)
    :param reason: A part of the dead letter's reason; empty for all. (templated)
    :param is_dry_run: Whether to count only. (templated)
    :param warehouse_conn_id: The warehouse's connection.
    """

    template_fields: Sequence[str] = ("channel", "merchant_id", "connection", "stream", "reason", "is_dry_run")

    def __init__(
        self,
        *,
        channel: str,
        merchant_id: str,
        connection: str,
        stream: str,
        reason: str,
        is_dry_run: str,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.merchant_id = merchant_id
        self.connection = connection
        self.stream = stream
        self.reason = reason
        self.is_dry_run = is_dry_run
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Replay, and say what landed and what was refused again for which reason."""
        channel = declared(self.channel)
        report = replay(
            partial(warehouse, self.warehouse_conn_id),
            vendor(channel, self.connection),
            channel,
            channel.stream(self.stream),
            self.merchant_id,
            reason=self.reason.strip() or None,
            dry_run=self.is_dry_run != "False",
        )
        outcome = "would land" if report.is_dry_run else "landed"
        self.log.info("%s %s: %d of %d %s", self.merchant_id, self.stream, report.acceptable, report.letters, outcome)
        for reason, letters in sorted(report.refused.items(), key=lambda item: -item[1]):
            self.log.warning("%d refused again: %s", letters, reason)
        return {"letters": report.letters, "acceptable": report.acceptable, "dry_run": report.is_dry_run}
