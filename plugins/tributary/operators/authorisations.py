"""The operator that tells people in time that a merchant's authorisation ends."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tributary.channels.vendor_tokens import ENDS_SOON
from tributary.operators.warehouse import warehouse
from tributary.paths import MERCHANTS
from tributary.quality.finding import Finding, Ran, record
from tributary.warehouse.authorisations import authorisations
from tributary.warehouse.settings.merchants import load_merchants

if TYPE_CHECKING:
    from airflow.sdk import Context

    from tributary.warehouse.authorisations import Authorisation


class AuthorisationsOperator(BaseOperator):
    """Warns while an authorisation is about to end; nobody is held back by it yet.

    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(self, *, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> None:
        """Look at every stored authorisation, and keep what was found for the incident."""
        now = datetime.now(UTC)
        with warehouse(self.warehouse_conn_id) as conn:
            found = [(each, _finding(each, now)) for each in authorisations(conn, load_merchants(MERCHANTS))]
            for merchant_id, own in groupby(found, key=lambda pair: pair[0].merchant_id):
                record(conn, Ran(self.dag_id, context["run_id"]), merchant_id, [finding for _, finding in own])
        for each, finding in found:
            if finding.outcome == "warned":
                self.log.warning("%s: %s", each.merchant_id, finding.sentence())


def _finding(authorisation: Authorisation, now: datetime) -> Finding:
    left = authorisation.ends_at - now
    return Finding(
        dataset=f"{authorisation.channel} authorisation",
        check="It lasts for a while yet",
        column=None,
        level="warn",
        outcome="warned" if left < ENDS_SOON else "passed",
        measured=f"{left.days} days, until {authorisation.ends_at:%Y-%m-%d}",
        threshold=f"must be: at least {ENDS_SOON.days} days",
        remedy=f"Authorise the app again before that day and put the new refresh token into the connection "
        f"{authorisation.connection!r}, as the runbook shows. After it no new figures come in.",
        owner="data",
        runbook="authorisations",
    )
