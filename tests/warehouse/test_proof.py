"""The nightly proof: equal says nothing, any altered row is found, and what changed meanwhile is not judged."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from tests.operators.airflow_run import AirflowRun
from tests.warehouse.shop import NOW, SHOP, START, Vendor, add_merchants, merchant, order, page, sync
from tributary.operators import housekeeping
from tributary.warehouse.proof import Difference, compare, open_proof
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build
from tributary.warehouse.settings.merchants import apply_merchants

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

    import psycopg

    from tributary.declaration import Record

    Connect = Callable[[], psycopg.Connection]

MERCHANTS = ("aurora", "nordlicht")
DAYS = 10
COLUMNS = {"merchant_id": "text", "date_day": "date", "order_id": "text", "amount": "numeric(38,2)"}
MODEL = {
    "resource_type": "model",
    "name": "fct_orders",
    "config": {"schema": "marts", "contract": {"enforced": True}, "meta": {"publish": {"by": "day"}}},
    "columns": {name: {"name": name, "data_type": data_type} for name, data_type in COLUMNS.items()},
    "constraints": [{"type": "primary_key", "columns": ["merchant_id", "order_id"]}],
}


def day(number: int) -> date:
    return (START + timedelta(days=number)).date()


def sold(number: int, on: int, amount: str, version: int = 1) -> Record:
    return order(str(number), version=version, event_at=START + timedelta(days=on, hours=12), amount=amount)


def build(conn: psycopg.Connection, schema: str) -> None:
    """What dbt would do: the days of the schema's scope, computed from raw."""
    conn.execute(
        f"""
        create table {schema}.fct_orders as
        select orders.merchant_id, scope.date_day, orders.record_id as order_id,
            (orders.payload ->> 'amount')::numeric(38, 2) as amount
        from raw.shop_orders as orders
        inner join {schema}.scope as scope
            on orders.merchant_id = scope.merchant_id and orders.event_at >= scope.starts_at
            and orders.event_at < scope.ends_at
        """  # type: ignore[arg-type]
    )


def publish_changes(conn: psycopg.Connection, manifest: Path) -> None:
    opened = open_build(conn, "build", [SHOP])
    assert opened is not None
    build(conn, "build")
    for merchant_id in opened.merchants:
        publish(conn, opened.build_id, "build", merchant_id, manifest)


def prove(conn: psycopg.Connection, manifest: Path) -> list[Difference]:
    assert open_proof(conn, "proof", [SHOP], days=100, seed="1") is not None
    build(conn, "proof")
    return compare(conn, "proof", [SHOP], manifest)


def proven_days(conn: psycopg.Connection) -> set[tuple[str, date]]:
    return set(conn.execute("select merchant_id, date_day from proof.scope").fetchall())


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"nodes": {"model.tributary.fct_orders": MODEL}}))
    return path


@pytest.fixture
def shop(connect: Connect, conn: psycopg.Connection, manifest: Path) -> psycopg.Connection:
    """Two merchants with two orders on each of ten days, published."""
    add_merchants(conn, *map(merchant, MERCHANTS))
    for merchant_id in MERCHANTS:
        orders = [sold(number, number % DAYS, f"{number}.50") for number in range(2 * DAYS)]
        sync(connect, Vendor([page(*orders)]), merchant_id=merchant_id)
    publish_changes(conn, manifest)
    return conn


def test_equal_says_nothing_and_claims_nothing(shop: psycopg.Connection, manifest: Path) -> None:
    assert prove(shop, manifest) == []
    assert proven_days(shop) == {(merchant_id, day(number)) for merchant_id in MERCHANTS for number in range(DAYS)}
    assert open_build(shop, "build", [SHOP]) is None


@pytest.mark.parametrize(
    ("damage", "key"),
    [
        ("update marts.fct_orders set amount = amount + 0.01 where merchant_id = 'aurora' and order_id = '13'", "13"),
        ("delete from marts.fct_orders where merchant_id = 'aurora' and order_id = '13'", "13"),
        (f"insert into marts.fct_orders values ('aurora', '{day(3)}', '99', 1)", "99"),
    ],
    ids=["altered", "removed", "added"],
)
def test_a_row_that_is_not_what_raw_says_is_found(
    shop: psycopg.Connection, manifest: Path, damage: str, key: str
) -> None:
    shop.execute(damage)  # type: ignore[arg-type]
    assert prove(shop, manifest) == [Difference("aurora", "fct_orders", day(3), 1, (key,))]


def test_a_day_that_nothing_published_is_found(shop: psycopg.Connection, manifest: Path) -> None:
    shop.execute("delete from marts.fct_orders where merchant_id = 'aurora' and date_day = %s", (day(4),))
    assert prove(shop, manifest) == [Difference("aurora", "fct_orders", day(4), 2, ("14", "4"))]


def test_few_of_many_keys_are_named(shop: psycopg.Connection, manifest: Path) -> None:
    shop.execute(
        "insert into marts.fct_orders select 'aurora', %s, 'extra ' || n, 1 from generate_series(1, 7) as n", (day(3),)
    )
    [found] = prove(shop, manifest)
    assert (found.rows, found.keys) == (7, tuple(f"extra {n}" for n in range(1, 6)))


def test_the_sample_is_bounded_and_its_seed_draws_it(shop: psycopg.Connection) -> None:
    samples = []
    for seed in ("1", "1", "2"):
        opened = open_proof(shop, "proof", [SHOP], days=4, seed=seed)
        assert opened is not None
        assert opened.days == 4
        samples.append(proven_days(shop))
    assert samples[0] == samples[1] != samples[2]


def test_a_day_that_differed_is_drawn_again_until_it_is_well(
    shop: psycopg.Connection, manifest: Path, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    monkeypatch.setattr(housekeeping, "CHANNELS", [SHOP])
    monkeypatch.setattr(housekeeping, "DBT_MANIFEST", manifest)

    def night(name: str, days: int) -> list[tuple[str, str]]:
        with DAG("housekeeping") as dag:
            draw = housekeeping.OpenProofOperator(task_id="draw", schema="proof", days=days)
            judge = housekeeping.CompareProofOperator(task_id="compare", schema="proof")
        context = AirflowRun(dag, name).context("compare")
        draw.execute(context)
        build(shop, "proof")
        with suppress(AirflowFailException):
            judge.execute(context)
        return shop.execute(
            "select merchant_id, outcome from ops.check_results where run_id = %s order by 1", (name,)
        ).fetchall()

    shop.execute("update marts.fct_orders set amount = amount + 1 where merchant_id = 'aurora' and order_id = '13'")
    assert night("first", 100) == [("aurora", "failed"), ("nordlicht", "passed")]
    for name in ("second", "third", "fourth"):
        assert night(name, 1) == [("aurora", "failed")]
    shop.execute("update marts.fct_orders set amount = amount - 1 where merchant_id = 'aurora' and order_id = '13'")
    assert night("fifth", 1) == [("aurora", "passed")]


def test_a_day_with_an_unpublished_change_is_not_drawn(
    connect: Connect, shop: psycopg.Connection, manifest: Path
) -> None:
    sync(connect, Vendor([page(sold(3, 5, "7.00", version=2))]), now=NOW + timedelta(hours=1))
    assert prove(shop, manifest) == []
    untouched = {(merchant_id, day(number)) for merchant_id in MERCHANTS for number in range(DAYS)}
    assert proven_days(shop) == untouched - {("aurora", day(3)), ("aurora", day(5))}
    assert shop.execute("select count(*) from ops.changes where build_id is null").fetchone() == (1,)


def test_nothing_is_drawn_of_a_merchant_whose_settings_changed(shop: psycopg.Connection, manifest: Path) -> None:
    apply_merchants(shop, [merchant("aurora", "Asia/Tokyo")])
    assert prove(shop, manifest) == []
    assert {merchant_id for merchant_id, _ in proven_days(shop)} == {"nordlicht"}


@pytest.mark.parametrize("is_published", [False, True])
def test_what_changes_while_it_is_built_is_not_judged(
    connect: Connect, shop: psycopg.Connection, manifest: Path, is_published: bool
) -> None:
    shop.execute("update marts.fct_orders set amount = 0 where merchant_id = 'nordlicht' and order_id = '3'")
    open_proof(shop, "proof", [SHOP], days=100, seed="1")
    sync(connect, Vendor([page(sold(3, 5, "7.00", version=2))]), now=NOW + timedelta(hours=1))
    build(shop, "proof")
    if is_published:
        # The proof saw raw before this one, the marts after it.
        sync(connect, Vendor([page(sold(3, 5, "8.00", version=3))]), now=NOW + timedelta(hours=2))
        publish_changes(shop, manifest)
    assert compare(shop, "proof", [SHOP], manifest) == [Difference("nordlicht", "fct_orders", day(3), 1, ("3",))]


def test_a_mart_whose_model_changed_waits_for_its_publication(shop: psycopg.Connection, manifest: Path) -> None:
    shop.execute("alter table marts.fct_orders drop column amount")
    assert prove(shop, manifest) == []


def test_nothing_published_is_nothing_to_prove(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    assert open_proof(conn, "proof", [SHOP], days=10, seed="1") is None
    assert conn.execute("select to_regnamespace('proof')").fetchone() == (None,)
