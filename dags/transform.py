"""
### Build, gate and publish what changed

`scope` claims the records that changed and the merchant days they touch; dbt builds these days **beside** production;
Soda contracts judge every merchant; each merchant that passes is published in one transaction. One that does not keeps
its last good figures, stays marked, and is named in Slack until it passes. A raw table that was found wrong holds its
merchant back here too.

**Runs by itself** whenever a channel brought news. Trigger it by hand to try a held-back merchant again after a repair,
or with *full rebuild* after a change of a model.

**What the figures mean**: open the group of the models, `dbt`, in the graph and read its documentation; that of each
table in it tells the table's rows, columns and formulas. `docs/metrics.md` in the repository has it all in one page.

**Do not use it** to re-read a vendor (that is a backfill), and do not clear a single `publish` of an old run: a newer
build has taken its place, and it will refuse.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetAny, Param, XComArg, task_group

from tributary.channels import CHANNELS
from tributary.operators.build import OpenBuildOperator, PublishOperator
from tributary.operators.dbt import dbt_models
from tributary.operators.gate import GateOperator
from tributary.operators.incident import ReportIncidentOperator
from tributary.paths import MART_CONTRACTS, RAW_CONTRACTS

SCHEMA = "build"

with DAG(
    dag_id="transform",
    schedule=AssetAny(*(Asset(f"raw_{channel.name}") for channel in CHANNELS)),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["transform"],
    params={
        "full_rebuild": Param(
            False,
            type="boolean",
            title="Full rebuild",
            description="Build all days of all merchants, whether they changed or not. Use it after changing a model.",
        )
    },
    default_args={"owner": "data", "retries": 1, "retry_delay": timedelta(seconds=30)},
):
    scope = OpenBuildOperator(task_id="scope", schema=SCHEMA, everything="{{ params.full_rebuild }}")

    dbt = dbt_models(SCHEMA)

    @task_group
    def merchant(merchant_id: str, build_id: str) -> None:
        """One merchant's own gate and publication: no merchant waits for another."""
        gate = GateOperator(
            task_id="gate",
            contracts=MART_CONTRACTS,
            after=RAW_CONTRACTS,
            schema=SCHEMA,
            merchant_id=merchant_id,
            map_index_template="{{ task.merchant_id }}",
        )
        publish = PublishOperator(
            task_id="publish",
            build_id=build_id,
            schema=SCHEMA,
            merchant_id=merchant_id,
            map_index_template="{{ task.merchant_id }}",
        )
        gate >> publish

    merchants = merchant.expand_kwargs(XComArg(scope))
    scope >> dbt >> merchants >> ReportIncidentOperator(task_id="report_incident")
