"""What holds of the dbt project as a whole, read from its manifest."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.dbt.conftest import PROJECT
from tributary.channels import CHANNELS
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.channels.shopify.streams import SHOPIFY
from tributary.operators.dbt_tests import ALL_DAYS
from tributary.quality.dbt_results import title_of
from tributary.quality.incidents.observed import LOOKED_AT
from tributary.warehouse.raw_table import identity_expression

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt


@pytest.fixture(scope="module")
def models(dbt: Dbt) -> list[dict[str, Any]]:
    manifest = dbt("parse").result
    found = [node.to_dict() for node in manifest.nodes.values() if node.resource_type == "model"]
    assert len(found) > 15
    return found


def layer(model: dict[str, Any]) -> str:
    return str(model["fqn"][1])


def test_every_layer_has_its_schema(models: list[dict[str, Any]]) -> None:
    expected = {"staging": "staging", "intermediate": "intermediate", "marts": "build", "quality": "build"}
    assert {(layer(model), model["schema"]) for model in models} == set(expected.items())


def test_a_backfill_builds_nothing_where_others_see_it(dbt: Dbt) -> None:
    manifest = dbt("parse", build_schema="backfill_7").result
    buildable = [node for node in manifest.nodes.values() if node.resource_type in ("model", "seed", "snapshot")]
    assert {node.schema for node in buildable} == {"backfill_7"}


def test_a_mart_reads_marts_intermediate_and_settings_only(models: list[dict[str, Any]]) -> None:
    for model in models:
        if layer(model) == "marts":
            parents = {parent.split(".")[2] for parent in model["depends_on"]["nodes"]}
            strangers = {name for name in parents if not re.match(r"(fct|dim|int)_|ops$", name)}
            assert not strangers, f"{model['name']} reads {sorted(strangers)}"


def test_every_mart_is_keyed_by_merchant_and_described(models: list[dict[str, Any]]) -> None:
    for model in models:
        if layer(model) == "marts":
            keys = [c["columns"] for c in model["constraints"] if c["type"] == "primary_key"]
            assert keys, model["name"]
            assert keys[0][0] == "merchant_id", model["name"]
            assert model["description"].startswith("One row per merchant"), model["name"]
            assert all(column["description"] for column in model["columns"].values()), model["name"]


def test_a_click_reaches_as_far_as_the_ledger_looks_back() -> None:
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    assert KLAVIYO.stream("events").reach == 2 * timedelta(hours=project["vars"]["attribution_window_hours"])


def test_a_day_in_question_is_waited_for_as_long_as_monitors_look_at_it() -> None:
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    assert timedelta(days=project["vars"]["judged_days"]) == LOOKED_AT


def test_staging_looks_customers_up_as_raw_indexes_them(conn: Connection, dbt: Dbt) -> None:
    assert dbt("run", "--select", "stg_shopify__order_identities").success
    columns = {"customer": "customer_id", "email": "email"}
    [orders] = [stream for stream in SHOPIFY.streams if stream.name == "orders"]
    assert orders.identities.keys() == columns.keys()
    conn.execute("set local enable_seqscan = off")
    for kind, column in columns.items():
        plan = conn.execute(
            f"explain select 1 from staging.stg_shopify__order_identities where merchant_id = 'a' and {column} = 'x'"
        ).fetchall()
        index = f"raw.shopify_orders_is_{kind}_"
        indexed = identity_expression(orders.identities[kind]).as_string(conn)
        assert f"shopify_orders_is_{kind}_" in str(plan), f"{index}*: {indexed} is not what staging asks: {plan}"
    conn.rollback()


def test_dbt_knows_of_each_stream_how_old_it_may_be(conn: Connection, dbt: Dbt) -> None:
    conn.execute("""
        insert into ops.merchant_channels
        select 'aurora', channel, now() - interval '1 year' from ops.streams group by channel;
        insert into ops.checkpoints (merchant_id, channel, stream, position, sync_id, read_at, as_of)
        select 'aurora', channel, stream, at, gen_random_uuid(), at, at
        from ops.streams cross join lateral (select now() - case channel
            when 'shopify' then blocks_after + interval '1 minute'
            when 'tiktok_shop' then blocks_after - interval '1 hour'
            when 'ga4' then sla - interval '1 hour'
            else interval '0' end as at) as read;
    """)
    conn.commit()
    said = {str(one.node.name): str(one.status) for one in dbt("source", "freshness").result.results}
    expected = {"shopify": "error", "tiktok_shop": "warn"}
    assert said == {
        f"{channel.name}_{stream.name}": expected.get(channel.name, "pass")
        for channel in CHANNELS
        for stream in channel.streams
    }


def test_a_test_of_all_days_is_left_out_where_some_are_built(dbt: Dbt) -> None:
    tests = [node for node in dbt("parse").result.nodes.values() if node.resource_type == "test"]
    of_all_days = {node.name for node in tests if "scope_days" in node.raw_code}
    assert of_all_days
    assert of_all_days == {node.name for node in tests if ALL_DAYS in node.tags}


def test_every_test_has_a_name_of_its_own_for_people(dbt: Dbt) -> None:
    tests = [node.to_dict() for node in dbt("parse").result.nodes.values() if node.resource_type == "test"]
    titles = [title_of(test) for test in tests]
    assert len(titles) == len(set(titles)) > 60
    assert {
        "Both clocks agree over all time",
        "fct_attributed_orders: a touch is never after its order",
        "fct_orders: unique combination: merchant_id, order_id, sales_channel",
        "fct_roas: expression is true: (roas is null) = (coalesce(spend, 0) = 0)",
    } <= set(titles)
