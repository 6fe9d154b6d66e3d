"""
### Ingest a channel

Every merchant of this channel, every stream: what the vendor changed since the last sync moves into `raw`, slice by
slice, and is checked there. Then `transform` is told.

**Safe to run at any time**, by hand too: a sync goes on where the last one ended, and running it twice changes nothing.

**Do not use it** to read old data again (that is a backfill: a sync starts at its checkpoint and never goes back), nor
to publish: `transform` does that by itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Asset, TriggerRule, XComArg, task, task_group

from tributary.channels import CHANNELS
from tributary.operators.gate import GateOperator
from tributary.operators.incident import ReportIncidentOperator
from tributary.operators.ingest import PlanSyncsOperator, SyncOperator
from tributary.operators.retries import RETRY_POLICY
from tributary.paths import RAW_CONTRACTS

if TYPE_CHECKING:
    from tributary.declaration import Channel


def ingest(channel: Channel) -> DAG:
    """The ingestion of one declared channel."""
    with DAG(
        dag_id=f"ingest_{channel.name}",
        schedule=channel.schedule,
        start_date=datetime(2026, 1, 1),  # noqa: DTZ001 -- Airflow reads it in its default time zone, UTC
        catchup=False,
        max_active_runs=1,
        doc_md=__doc__,
        tags=["ingest", channel.name],
        default_args={
            "owner": "data",
            "retries": 3,
            "retry_delay": timedelta(seconds=30),
            "retry_policy": RETRY_POLICY,
        },
    ) as dag:
        plan = PlanSyncsOperator(task_id="plan", channel=channel.name)

        @task_group
        def stream(merchant_id: str, connection: str, stream: str, history_start: str, datasets: list[str]) -> None:
            """One stream of one merchant: no merchant waits for another."""
            sync = SyncOperator(
                task_id="sync",
                channel=channel.name,
                merchant_id=merchant_id,
                connection=connection,
                stream=stream,
                history_start=history_start,
                pool=channel.pool,
                map_index_template="{{ task.merchant_id }} · {{ task.stream }}",
            )
            check = GateOperator(
                task_id="check",
                contracts=RAW_CONTRACTS,
                datasets=datasets,
                schema="raw",
                merchant_id=merchant_id,
                map_index_template="{{ task.merchant_id }} · {{ task.datasets | join(', ') }}",
            )
            sync >> check

        @task(outlets=[Asset(f"raw_{channel.name}")], trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
        def announce() -> None:
            """Tell `transform` that raw has news, although another merchant may have failed."""

        report = ReportIncidentOperator(task_id="report_incident", channel=channel.name)
        stream.expand_kwargs(XComArg(plan)) >> announce() >> report
    return dag


for declared in CHANNELS:
    globals()[f"ingest_{declared.name}"] = ingest(declared)
