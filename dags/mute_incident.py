"""
### Mute one incident

For an incident that is known and takes its time: nobody is told of it or paged until the mute ends, and its thread in
Slack says who muted it, why, and until when. If it is still there when the mute ends, the next run that sees it says so
and pages again. The same form ends a mute before its time.

**Do not use it** to publish what is held back: a mute does not let anything through a gate. Do not use it to close an
incident either: it closes by itself, with the first run in which all is well.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from tributary.operators.form import reason
from tributary.operators.mute import MuteOperator

HOURS = {
    1: "1 hour",
    4: "4 hours",
    24: "until tomorrow (24 hours)",
    72: "3 days",
    168: "a week",
    0: "end the mute now",
}

with DAG(
    dag_id="mute_incident",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["operate"],
    params={
        "incident": Param(
            type="integer",
            minimum=1,
            title="Incident",
            description="The number in the Slack message, as #12.",
        ),
        "hours": Param(4, type="integer", enum=list(HOURS), values_display=HOURS, title="For how long"),
        "reason": reason(
            "At least 10 characters; the thread shows it: a ticket's number, say. Nobody's e-mail address."
        ),
    },
    default_args={"owner": "data", "retries": 1, "retry_delay": timedelta(seconds=30)},
):
    MuteOperator(
        task_id="mute",
        incident_id="{{ params.incident }}",
        hours="{{ params.hours }}",
        reason="{{ params.reason }}",
    )
