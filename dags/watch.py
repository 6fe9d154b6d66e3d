"""
### How old is what readers see?

Judges every ten minutes, for every merchant, up to when each stream was read (`marts.fct_freshness`): beyond its SLA
is a warning, a day beyond it blocks, and the next gate holds the merchant back. Then it also does what waits: incidents
that nobody has looked at in time are said again, louder, and messages that Slack or PagerDuty did not take are sent.

It closes backfills whose run is dead, so that their days are published again, and warns of approvals that nobody gives.

When the warehouse itself does not answer, this DAG alone says so, in Slack, once; and once when it answers again.

**Safe to run at any time**, by hand too: it changes no figure, and says nothing twice.

**Do not use it** to bring in new data (that is the channel's `ingest`), and do not pause it: nobody hears of a channel
whose DAG is paused otherwise.
"""

from __future__ import annotations

from airflow.sdk import DAG

from tributary.operators.backfill.watch import WatchBackfillsOperator
from tributary.operators.freshness import FreshnessOperator
from tributary.operators.incident import ReportIncidentOperator

with DAG(
    dag_id="watch",
    schedule="*/10 * * * *",
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["operate"],
    # The next run is soon enough.
    default_args={"owner": "data", "retries": 0},
):
    (
        FreshnessOperator(task_id="freshness")
        >> WatchBackfillsOperator(task_id="backfills", trigger_rule="all_done")
        >> ReportIncidentOperator(task_id="report_incident")
    )
