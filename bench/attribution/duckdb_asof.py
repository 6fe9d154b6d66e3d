"""Side: DuckDB with two threads, the same rows and the same rules. Runs in an environment of its own.

`export` lays down Parquet, which is not measured; `rules` reads that and does all that `int_last_clicks` does; `asof`
the ASOF join alone, without ties, sales that a channel made itself and sessions of GA4; `round_trip` does all of it
from PostgreSQL back to PostgreSQL. What is found is written to `bench.found`, to be checked.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
from adbc_driver_postgresql import dbapi

from bench.common.side import measured

THREADS = 2
_READ = {
    "orders": "select merchant_id, sales_channel, order_id, ordered_at from build.fct_orders where is_counted",
    "customers": "select merchant_id, sales_channel, order_id, customer_identity from intermediate.int_order_customers",
    "touches": """
        select
            merchant_id, touchpoint_id, sales_channel, customer_identity,
            case when customer_identity is null then order_id end as order_id,
            occurred_at, is_native, is_fallback, priority
        from intermediate.int_touchpoints where not is_direct and not is_excluded
    """,
}
_KNOWN = """
    known as (
        select orders.*, customer_identity from orders left join customers using (merchant_id, sales_channel, order_id)
    )
"""
_ASOF = f"""
create table found as
with {_KNOWN}
select
    known.merchant_id, known.sales_channel, known.order_id,
    case when occurred_at >= ordered_at - interval 168 hours then touchpoint_id end as touchpoint_id
from known
asof left join (select * from touches where customer_identity is not null) as clicks
    on known.merchant_id = clicks.merchant_id and known.customer_identity = clicks.customer_identity
    and known.ordered_at >= clicks.occurred_at
"""
# An ASOF join takes any of what happened in one second: it finds the time, and a join the best of that time.
_RULES = f"""
create table found as
with {_KNOWN},
latest as (
    select known.merchant_id, known.sales_channel, known.order_id, known.customer_identity, occurred_at
    from known
    asof join (
        select merchant_id, customer_identity, occurred_at from touches where customer_identity is not null
    ) as clicks
        on known.merchant_id = clicks.merchant_id and known.customer_identity = clicks.customer_identity
        and known.ordered_at >= clicks.occurred_at
    where occurred_at >= ordered_at - interval 168 hours
),
candidates as (
    select
        latest.merchant_id, latest.sales_channel, latest.order_id, touchpoint_id, is_native, is_fallback,
        occurred_at, priority
    from latest inner join touches using (merchant_id, customer_identity, occurred_at)
    union all
    select merchant_id, sales_channel, order_id, touchpoint_id, is_native, is_fallback, occurred_at, priority
    from orders inner join touches using (merchant_id, sales_channel, order_id)
    where customer_identity is null and occurred_at between ordered_at - interval 168 hours and ordered_at
)
select
    merchant_id, sales_channel, order_id,
    arg_min(touchpoint_id, (not is_native, is_fallback, -epoch_us(occurred_at), priority, touchpoint_id))
        as touchpoint_id
from candidates
group by all
"""


def read(duck: duckdb.DuckDBPyConnection, url: str, into: str) -> None:
    """What PostgreSQL has, through its binary COPY and Arrow."""
    with dbapi.connect(url) as postgres, postgres.cursor() as cursor:
        for name, query in _READ.items():
            cursor.execute(query)
            duck.register("arrived", cursor.fetch_record_batch())
            duck.execute(into.format(name=name))
            duck.unregister("arrived")


def write(duck: duckdb.DuckDBPyConnection, url: str) -> None:
    """What was found, by COPY."""
    with dbapi.connect(url) as postgres, postgres.cursor() as cursor:
        found = duck.sql("from found").to_arrow_reader()
        cursor.adbc_ingest("found", found, mode="replace", db_schema_name="bench")
        postgres.commit()


def main(mode: str, url: str, folder: Path) -> None:
    """One of the four, measured."""
    duck = duckdb.connect(config={"threads": THREADS})
    duck.execute("set timezone = 'UTC'")
    files = folder / "{name}.parquet"
    if mode in ("asof", "rules"):
        for name in _READ:
            duck.execute(f"create view {name} as from '{str(files).format(name=name)}'")
    with measured() as said:
        said["duckdb"] = duckdb.__version__
        match mode:
            case "export":
                read(duck, url, f"copy (from arrived) to '{files}'")
            case "round_trip":
                read(duck, url, "create table {name} as from arrived")
                duck.execute(_RULES)
                write(duck, url)
            case _:
                duck.execute(_ASOF if mode == "asof" else _RULES)
    if mode in ("asof", "rules"):
        write(duck, url)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    main(asked["mode"], asked["url"], Path(asked["folder"]))
