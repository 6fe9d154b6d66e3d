"""
### Reprocess days of the past

Reads days of some merchants again from their vendors, or only builds them again from `raw`, **beside** what readers
see; judges the result, shows the difference per day, waits for a manager where the policy wants one, and then swaps all
of it in at once. What was there before is kept for 7 days: `rollback_backfill` puts it back.

**The dry run is the default**: it ends with the difference (task `difference`, XCom `card`) and changes nothing.

Whatever fails, is rejected or is cancelled leaves what readers see as it was. Who asked for what, why, and what became
of it is kept for ever in `audit.backfills`, refused attempts too; `#analytics-audit` has one thread for each.

**Do not use it** for what the vendor tells by itself: the next hourly run brings it. Not for a change of a model that
concerns all days (trigger `transform` with *full rebuild*), nor to bring in a merchant or a channel that is new (its
ingestion reads the history). **Do not clear tasks** of a run: trigger a new one.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, TaskGroup, TriggerRule

from tributary.channels import CHANNELS
from tributary.operators.backfill.approval import ApproveBackfillOperator
from tributary.operators.backfill.build import (
    CompareOperator,
    GateBackfillOperator,
    OpenScopeOperator,
    PlanBackfillOperator,
    RereadOperator,
    TakeLeaseOperator,
)
from tributary.operators.backfill.end import CloseBackfillOperator, PublishBackfillOperator
from tributary.operators.backfill.request import RequestBackfillOperator
from tributary.operators.backfill.step import tell_refusal
from tributary.operators.dbt import dbt_models
from tributary.operators.form import reason
from tributary.operators.retries import RETRY_POLICY
from tributary.paths import DBT_MANIFEST, MERCHANTS
from tributary.warehouse.manifest import read_marts
from tributary.warehouse.settings.merchants import load_merchants

MODES = {"reread": "Read again from the vendors", "rebuild": "Build again from raw"}
SCHEMA = "{{ ti.xcom_pull(task_ids='request')['schema'] }}"


def several(names: list[str], title: str, description: str, least: int = 0) -> Param:
    """Some of these names."""
    chosen = {"items": {"type": "string", "enum": names}, "examples": names, "minItems": least, "uniqueItems": True}
    return Param([], type="array", title=title, description=description, **chosen)


def day(title: str) -> Param:
    """A day in the merchant's own calendar."""
    return Param(type="string", format="date", title=title, description="A business day of the merchants' own.")


with DAG(
    dag_id="backfill",
    schedule=None,
    catchup=False,
    # A second one of the same merchant is refused at once, by the lease, instead of waiting for the first.
    max_active_runs=8,
    doc_md=__doc__,
    tags=["operate"],
    params={
        "merchants": several([each.merchant_id for each in load_merchants(MERCHANTS)], "Merchants", "At least one.", 1),
        "start_date": day("First day"),
        "end_date": day("Last day"),
        "mode": Param("reread", type="string", enum=list(MODES), values_display=MODES, title="Mode"),
        "channels": several(
            [channel.name for channel in CHANNELS], "Channels", "To read again; none: all that the merchants have."
        ),
        "models": several(
            sorted(mart.name for mart in read_marts(DBT_MANIFEST)),
            "Marts",
            "Only when built again from raw: these and what is made of them; none: all.",
        ),
        "reason": reason("At least 10 characters, kept for ever. Nobody's e-mail address."),
        "incident": Param(None, type=["string", "null"], title="Incident", description="Its reference, as INC-4711."),
        "dry_run": Param(True, type="boolean", title="Dry run", description="Show the difference; publish nothing."),
    },
    default_args={"owner": "data", "retries": 2, "retry_delay": timedelta(seconds=30), "retry_policy": RETRY_POLICY},
):
    request = RequestBackfillOperator(task_id="request", on_failure_callback=tell_refusal)
    plan = PlanBackfillOperator(task_id="plan")
    lease = TakeLeaseOperator(task_id="lease")
    by_merchant = {"map_index_template": "{{ task.merchant_id }}"}
    with TaskGroup("reread", tooltip="One task per channel, one instance per merchant") as reread:
        for channel in CHANNELS:
            name = channel.name
            RereadOperator.partial(task_id=name, channel=name, pool=channel.pool, **by_merchant).expand(
                merchant_id=plan.output
            )
    scope = OpenScopeOperator(task_id="scope", trigger_rule=TriggerRule.NONE_FAILED)
    dbt = dbt_models(SCHEMA, SCHEMA)
    gate = GateBackfillOperator.partial(task_id="gate", schema=SCHEMA, **by_merchant).expand(merchant_id=plan.output)
    difference = CompareOperator(task_id="difference")
    approve = ApproveBackfillOperator(task_id="approve", shown_by="difference")
    publish = PublishBackfillOperator(task_id="publish", trigger_rule=TriggerRule.NONE_FAILED)
    # Were its own failure to fail the run, Airflow would look at nothing else: now `publish` decides.
    close = CloseBackfillOperator(task_id="close").as_teardown(setups=request)

    request >> plan >> lease >> reread >> scope >> dbt >> gate >> difference >> approve >> publish >> close
    # Whatever fails, nothing of it is still at work when its schema goes.
    [reread, dbt, gate] >> close
