"""The operators of control totals: whom to ask, and asking."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tributary.channels import channel as declared
from tributary.operators.failure import fail_as_recorded
from tributary.operators.vendor import vendor
from tributary.operators.warehouse import warehouse
from tributary.paths import MERCHANTS
from tributary.quality.finding import Finding, Ran, record
from tributary.quality.incidents.lifecycle import AGREES
from tributary.warehouse.control_totals import control
from tributary.warehouse.settings.merchants import load_merchants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

REMEDY = (
    "These days were read again and still differ. Open the shop's own report of the day beside fct_orders, find the "
    "order that is missing or too many, then run `housekeeping` again, which compares anew."
)


class PlanTotalsOperator(BaseOperator):
    """Lists the merchants of a channel.

    :param channel: The channel's name.
    """

    def __init__(self, *, channel: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channel = channel

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return one entry per merchant, for the mapped task that follows."""
        return [
            {"merchant_id": merchant.merchant_id, "connection": merchant.channels[self.channel]}
            for merchant in load_merchants(MERCHANTS)
            if self.channel in merchant.channels
        ]


class ControlTotalsOperator(BaseOperator):
    """Asks the shop for the totals of a merchant's closed days by another road than the sync, and compares.

    Days that differ are read again first; when they still differ, the task fails and the merchant is held back.

    :param channel: The channel's name.
    :param merchant_id: Whose days these are. (templated)
    :param connection: The merchant's connection at the vendor. (templated)
    :param warehouse_conn_id: The warehouse's connection.
    """

    template_fields: Sequence[str] = ("merchant_id", "connection")

    def __init__(
        self,
        *,
        channel: str,
        merchant_id: str,
        connection: str,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.merchant_id = merchant_id
        self.connection = connection
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, keep what was found, and fail when days still differ."""
        channel = declared(self.channel)
        connect = partial(warehouse, self.warehouse_conn_id)
        verdict = control(connect, vendor(channel, self.connection), channel, self.merchant_id)
        finding = Finding(
            dataset=f"{self.channel} control totals",
            check=AGREES,
            column=None,
            level="fail",
            outcome="failed" if verdict.differing else "passed",
            measured=f"{len(verdict.differing)} of {verdict.days} days differ",
            threshold="must be: 0",
            remedy=REMEDY,
            rows=[day.texts() for day in verdict.differing],
            schema="raw",
            owner="data",
            runbook="control-totals",
        )
        with connect() as conn:
            record(conn, Ran(self.dag_id, context["run_id"]), self.merchant_id, [finding])
        if verdict.reread:
            self.log.warning("Read again because they differed: %s", ", ".join(map(str, verdict.reread)))
        if verdict.differing:
            fail_as_recorded(context, f"{self.merchant_id}: {finding.sentence()}: {finding.rows[:5]}")
        return {"days": verdict.days, "reread": [day.isoformat() for day in verdict.reread]}
