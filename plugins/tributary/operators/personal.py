"""The operators of people's data: erasing one person, and what ends by itself every night."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from tributary.channels import CHANNELS
from tributary.operators.warehouse import warehouse
from tributary.warehouse.personal.erase import Request, erase
from tributary.warehouse.personal.retention import end_personal_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class EraseCustomerOperator(BaseOperator):
    """Masks one customer of one merchant in all raw data, or only counts in which rows they are.

    Neither its fields nor its log nor what it returns say who it is: Airflow keeps all of them.

    :param merchant_id: Whose customer it is. (templated)
    :param customer_key: The customer's key in the marts. (templated)
    :param reason: Why, for the audit. (templated)
    :param is_dry_run: Whether to count only. (templated)
    :param warehouse_conn_id: The warehouse's connection.
    """

    template_fields: Sequence[str] = ("merchant_id", "customer_key", "reason", "is_dry_run")

    def __init__(
        self,
        *,
        merchant_id: str,
        customer_key: str,
        reason: str,
        is_dry_run: str,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.merchant_id = merchant_id
        self.customer_key = customer_key
        self.reason = reason
        self.is_dry_run = is_dry_run
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Erase or count, and return how many rows of which table."""
        user = context["dag_run"].triggering_user_name
        if not user:
            raise AirflowFailException("An erasure is asked for by a person: trigger it in the UI, signed in.")
        request = Request(self.merchant_id, self.customer_key, user, self.reason.strip(), self.is_dry_run != "False")
        with warehouse(self.warehouse_conn_id) as conn:
            done = erase(conn, CHANNELS, request)
        if done.outcome == "refused":
            raise AirflowFailException(
                f"Refused: {done.remark}. docs/runbooks/erase-a-customer.md shows how to find it."
            )
        self.log.info("%s: %s", self.merchant_id, " ".join(filter(None, (done.outcome, done.remark))))
        for table, count in done.rows.items():
            self.log.info("%d rows of %s", count, table)
        return dict(done.rows)


class EndPersonalDataOperator(BaseOperator):
    """Masks what came back of erased people, and people whose data a merchant keeps no longer.

    :param schema: The schema that `transform` builds in: one half of a build must not see people whom the other misses.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(self, *, schema: str, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema = schema
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Mask, and return how many rows of which table."""
        with warehouse(self.warehouse_conn_id) as conn:
            ended = end_personal_data(conn, CHANNELS, self.schema, datetime.now(UTC))
        for merchant_id in ended.waiting:
            self.log.warning("%s has an unpublished build; its old people are masked the night after it", merchant_id)
        return dict(ended.rows)
