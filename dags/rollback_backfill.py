"""
### Take a backfill back

Puts back what a backfill replaced, within 7 days of its publication: the days of the marts as they were, and the
records of `raw` as they were, as far as nobody has changed them since. Days that were published again since then stay,
and are marked as changed, so that the next hourly run computes them anew: the task `preview` shows which (XCom `card`).

**The dry run is the default**: it ends with the preview and changes nothing. The same policy holds as for the backfill,
and it is recorded in `audit.backfills` like one; the backfill's thread in `#analytics-audit` hears of it.

**Do not use it** when the vendor's records are right and a model is wrong: correct the model and trigger `transform`
with *full rebuild*. Do not use it to correct some of the days: trigger `backfill` for those.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, TriggerRule

from tributary.operators.backfill.approval import ApproveBackfillOperator
from tributary.operators.backfill.build import TakeLeaseOperator
from tributary.operators.backfill.end import CloseBackfillOperator
from tributary.operators.backfill.rollback import PreviewOperator, RequestRollbackOperator, RestoreOperator
from tributary.operators.backfill.step import tell_refusal
from tributary.operators.form import reason
from tributary.operators.retries import RETRY_POLICY

with DAG(
    dag_id="rollback_backfill",
    schedule=None,
    catchup=False,
    max_active_runs=8,
    doc_md=__doc__,
    tags=["operate"],
    params={
        "backfill_id": Param(
            type="string",
            pattern="^ *[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} *$",
            title="Backfill",
            description="Its id, as the thread in Slack and `audit.backfills` show it.",
        ),
        "reason": reason("At least 10 characters, kept for ever. Nobody's e-mail address."),
        "incident": Param(None, type=["string", "null"], title="Incident", description="Its reference, as INC-4711."),
        "dry_run": Param(True, type="boolean", title="Dry run", description="Show the preview; put nothing back."),
    },
    default_args={"owner": "data", "retries": 2, "retry_delay": timedelta(seconds=30), "retry_policy": RETRY_POLICY},
):
    request = RequestRollbackOperator(task_id="request", on_failure_callback=tell_refusal)
    lease = TakeLeaseOperator(task_id="lease")
    preview = PreviewOperator(task_id="preview")
    approve = ApproveBackfillOperator(task_id="approve", shown_by="preview")
    restore = RestoreOperator(task_id="restore", trigger_rule=TriggerRule.NONE_FAILED)
    # Were its own failure to fail the run, Airflow would look at nothing else: now `restore` decides.
    close = CloseBackfillOperator(task_id="close").as_teardown(setups=request)

    request >> lease >> preview >> approve >> restore >> close
