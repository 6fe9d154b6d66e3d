"""The steps of a backfill between its request and its approval: everything beside production."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.sdk.exceptions import AirflowSkipException

from tributary.channels import CHANNELS
from tributary.channels import channel as declared
from tributary.operators.backfill.step import BackfillOperator
from tributary.operators.gate import GateOperator
from tributary.operators.vendor import vendor
from tributary.operators.warehouse import warehouse
from tributary.paths import DBT_MANIFEST, MART_CONTRACTS, MERCHANTS, RAW_CONTRACTS
from tributary.warehouse.settings.merchants import load_merchants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from airflow.sdk import Context

    from tributary.backfill.state import Backfill

BUILDING = timedelta(hours=3)
"""How long dbt may take: it does not say meanwhile that the backfill is alive."""
JUDGED_ELSEWHERE = "fct_freshness"
"""It shows production, whatever is built beside it."""


class PlanBackfillOperator(BackfillOperator):
    """Says what it will take: days, records and requests, and how long."""

    step = "plan"

    def execute(self, context: Context) -> list[str]:
        """Show the plan in the log; return the merchants, for the mapped tasks that follow."""
        from tributary.backfill.plan import plan

        with self.entered(context) as (conn, backfill):
            for line in plan(conn, backfill, CHANNELS).lines():
                self.log.info("%s", line)
        return list(backfill.merchants)


class TakeLeaseOperator(BackfillOperator, SkipMixin):
    """Holds the merchants, or is refused; skips the channels that are not to be read again."""

    inherits_from_skipmixin = True
    step = "lease"

    def execute(self, context: Context) -> None:
        """Take the lease and open the schema to build in."""
        from tributary.backfill.lease import take
        from tributary.backfill.plan import reads
        from tributary.backfill.rereading.overlay import create_overlay

        with self.entered(context) as (conn, backfill):
            take(conn, backfill)
            if backfill.kind == "backfill":
                create_overlay(conn, backfill, CHANNELS)
        read = reads(backfill, load_merchants(MERCHANTS), CHANNELS)
        after = [task for task in self.downstream_list if getattr(task, "operator_class", None) is RereadOperator]
        self.skip(context["ti"], [task for task in after if not read[str(task.label)]])


class RereadOperator(BackfillOperator):
    """Reads one channel of one merchant again, window by window, into the schema; raw stays as it is.

    :param channel: The channel's name.
    :param merchant_id: Whose records these are. (templated)
    """

    step = "reread"
    template_fields: Sequence[str] = ("merchant_id",)

    def __init__(self, *, channel: str, merchant_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.merchant_id = merchant_id

    def execute(self, context: Context) -> int:
        """Read, and return how many records differ from raw."""
        from tributary.backfill.rereading.reading import read_again

        channel = declared(self.channel)
        merchant = next(each for each in load_merchants(MERCHANTS) if each.merchant_id == self.merchant_id)
        connection = merchant.channels.get(channel.name)
        if connection is None:
            raise AirflowSkipException(f"{merchant.merchant_id} has no {channel.name}.")
        with self.entered(context, f"{channel.name} {merchant.merchant_id}") as (_, backfill):
            read = read_again(
                partial(warehouse, self.warehouse_conn_id),
                vendor(channel, connection),
                channel,
                backfill,
                merchant.merchant_id,
                merchant.time_zone,
                partial(self.log.info, "%s"),
            )
        return sum(window.differing for window in read)


class OpenScopeOperator(BackfillOperator):
    """Finds the days to build: those asked for, and all that the changed records touch."""

    step = "scope"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many days of each merchant it is about."""
        from tributary.backfill.lease import renew
        from tributary.backfill.scope import open_scope

        with self.entered(context) as (conn, backfill):
            scope = open_scope(conn, backfill, CHANNELS)
            renew(conn, backfill.backfill_id, BUILDING)
        self.log.info("%s", scope)
        return dict(scope.days_by_merchant)


class GateBackfillOperator(BackfillOperator, GateOperator):
    """Judges one merchant's build by the contracts of the marts, and by those of raw for what was read again.

    Of raw that was not read again, what the latest check says counts, as for an hourly run.
    """

    step = "gate"

    def __init__(self, *, schema: str, merchant_id: str, **kwargs: Any) -> None:
        super().__init__(
            contracts=MART_CONTRACTS, after=RAW_CONTRACTS, schema=schema, merchant_id=merchant_id, **kwargs
        )

    def execute(self, context: Context) -> dict[str, int]:
        """Verify, and stop the whole backfill when something blocks."""
        from tributary.backfill.lease import renew

        with self.entered(context, self.merchant_id) as (conn, backfill):
            renew(conn, backfill.backfill_id)
            self._judged_again = [RAW_CONTRACTS / f"{name}.yml" for name in _read_again(backfill, self.merchant_id)]
            return GateOperator.execute(self, context)

    def files(self) -> list[Path]:
        """The contracts to verify."""
        marts = [file for file in super().files() if file.stem != JUDGED_ELSEWHERE]
        return [*self._judged_again, *marts]

    def before(self) -> list[str]:
        """The datasets whose latest results count."""
        again = {file.stem for file in self._judged_again}
        return [name for name in super().before() if name not in again]


class CompareOperator(BackfillOperator, SkipMixin):
    """Takes the difference between what readers see and what they would see; a dry run ends with it."""

    inherits_from_skipmixin = True
    step = "difference"

    def execute(self, context: Context) -> None:
        """Store the difference, and show it in XCom `card`; skip what follows when nothing is to be published."""
        from tributary.backfill.comparing.card import card
        from tributary.backfill.comparing.difference import compare
        from tributary.backfill.lease import renew

        with self.entered(context) as (conn, backfill):
            renew(conn, backfill.backfill_id)
            compare(conn, backfill, DBT_MANIFEST)
            shown = card(conn, backfill.backfill_id)
        self.log.info("%s", shown)
        context["ti"].xcom_push("card", shown)
        if backfill.is_dry_run:
            after = self.get_flat_relatives(upstream=False)
            self.skip(context["ti"], [task for task in after if not task.is_teardown])


def _read_again(backfill: Backfill, merchant_id: str) -> Iterator[str]:
    """The names of the merchant's raw tables that it reads again."""
    from tributary.backfill.rereading.overlay import reread_streams

    merchant = next(each for each in load_merchants(MERCHANTS) if each.merchant_id == merchant_id)
    for channel, stream in reread_streams(backfill, CHANNELS):
        if channel.name in merchant.channels:
            yield from (f"{channel.name}_{name}" for name in (stream.name, *stream.children))
