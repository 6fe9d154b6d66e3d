"""
### Take dead letters up again

Records that could not land are kept whole in `ops.dead_letters`, each with its reason. After a repair (a new version of
this repository that knows the field, say) this puts them through the same checks and the same loader as a page from
the vendor. What passes lands and its letter is closed; what does not stays, with the reason of this time. Then
`transform` publishes the days they touch.

**The dry run is the default**: it changes nothing and says in the log what would land. Nothing newer in `raw` is ever
overwritten, so running it twice does no harm.

**Do not use it** when the record is wrong in the shop itself: correct it there, and the next sync brings it and closes
the letter.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, Param, task

from tributary.channels import CHANNELS
from tributary.operators.dead_letters import FindDeadLettersOperator, ReplayOperator
from tributary.operators.retries import RETRY_POLICY

REPLAYED = "dead_letters_replayed"

with DAG(
    dag_id="dead_letters",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["operate"],
    params={
        "channel": Param(
            CHANNELS[0].name,
            type="string",
            enum=[channel.name for channel in CHANNELS],
            title="Channel",
        ),
        "stream": Param(
            "",
            type="string",
            enum=["", *sorted({stream.name for channel in CHANNELS for stream in channel.streams})],
            title="Stream",
            description="Leave empty for all of the channel's streams.",
        ),
        "merchant_id": Param("", type="string", title="Merchant", description="Its merchant_id; empty for all."),
        "reason": Param(
            "",
            type="string",
            title="Reason",
            description="Only letters whose reason contains this, as `taxLines`; empty for all.",
        ),
        "dry_run": Param(True, type="boolean", title="Dry run", description="Only say in the log what would land."),
    },
    default_args={"owner": "data", "retries": 1, "retry_delay": timedelta(seconds=30), "retry_policy": RETRY_POLICY},
):
    find = FindDeadLettersOperator(
        task_id="find",
        channel="{{ params.channel }}",
        stream="{{ params.stream }}",
        merchant_id="{{ params.merchant_id }}",
        reason="{{ params.reason }}",
    )
    replay = ReplayOperator.partial(
        task_id="replay",
        channel="{{ params.channel }}",
        reason="{{ params.reason }}",
        is_dry_run="{{ params.dry_run }}",
        map_index_template="{{ task.merchant_id }} · {{ task.stream }}",
    ).expand_kwargs(find.output)

    @task(outlets=[AssetAlias(REPLAYED)])
    def announce(params: dict[str, Any], outlet_events: Any) -> None:
        """Tell `transform` that raw has news, unless this was a dry run."""
        if not params["dry_run"]:
            outlet_events[AssetAlias(REPLAYED)].add(Asset(f"raw_{params['channel']}"))

    replay >> announce()
