"""
### What is checked and cleared every night

* **Control totals**: each shop is asked how many orders, and how much gross sales, each of its closed days had, by
  another road than the sync. A day that differs from `raw` is read again; one that still differs holds its merchant
  back until it agrees (`ops.control_totals`).
* **Proof**: some published days, others every night, are computed again from `raw` beside production and compared with
  `marts`, row for row; dbt's own tests run over them. Nothing is published.
* **Source freshness**: dbt says of each source how old it is (XCom `freshness`). `watch` tells people of it, not this.
* **People's data**: what came back of erased customers is masked again, and customers of whom nothing is newer than
  their merchant's `personal_data_days` are masked by the keys they have, so that no figure moves.
* **Authorisations**: one that ends within 30 days is told, with the connection that needs a new one.
* **Retention**: the pipeline's own records end: incidents, mutes and messages after a year, check results,
  syncs and the details of backfills after 90 days, failed rows, closed dead letters and ended authorisations after 30,
  snapshots of backfills after 7; what a dead backfill has left is dropped.

**Safe to run at any time**, by hand too, as after the repair of a control total.

**Do not use it** to bring in new data (that is the ingestion) nor to rebuild the marts (trigger `transform` with *full
rebuild*).
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task_group

from tributary.channels import CHANNELS
from tributary.operators.authorisations import AuthorisationsOperator
from tributary.operators.control_totals import ControlTotalsOperator, PlanTotalsOperator
from tributary.operators.dbt import dbt_models
from tributary.operators.dbt_tests import DbtTestsOperator, SourceFreshnessOperator
from tributary.operators.housekeeping import CompareProofOperator, ExpireOperator, OpenProofOperator
from tributary.operators.incident import ReportIncidentOperator
from tributary.operators.personal import EndPersonalDataOperator
from tributary.operators.retries import RETRY_POLICY

SCHEMA = "proof"
PUBLISHED = "build"
"""Where `transform` builds."""

with DAG(
    dag_id="housekeeping",
    # Without a start date the first run waits for its hour instead of making up for the last one.
    schedule="30 3 * * *",
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["operate"],
    default_args={"owner": "data", "retries": 2, "retry_delay": timedelta(minutes=1), "retry_policy": RETRY_POLICY},
):
    report = ReportIncidentOperator(task_id="report_incident")

    for channel in (channel for channel in CHANNELS if channel.totals is not None):

        @task_group(group_id=f"control_totals_{channel.name}")
        def control_totals(channel_name: str, pool: str) -> ControlTotalsOperator:
            """Every merchant of one channel."""
            return ControlTotalsOperator.partial(
                task_id="compare",
                channel=channel_name,
                pool=pool,
                map_index_template="{{ task.merchant_id }}",
            ).expand_kwargs(PlanTotalsOperator(task_id="plan", channel=channel_name).output)

        control_totals(channel.name, channel.pool) >> report

    @task_group
    def proof() -> None:
        """Some published days, computed again."""
        (
            OpenProofOperator(task_id="draw", schema=SCHEMA, days=30)
            >> dbt_models(SCHEMA)
            >> [
                CompareProofOperator(task_id="compare", schema=SCHEMA),
                DbtTestsOperator(task_id="dbt_tests", schema=SCHEMA),
            ]
        )

    personal_data = EndPersonalDataOperator(task_id="personal_data", schema=PUBLISHED)
    # Not side by side: what the proof compares is read table by table.
    personal_data >> proof() >> report
    SourceFreshnessOperator(task_id="source_freshness") >> report
    [personal_data, AuthorisationsOperator(task_id="authorisations"), ExpireOperator(task_id="expire")] >> report
