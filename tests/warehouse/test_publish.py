"""Swapping a build into marts: all or nothing, for one merchant, with tables that follow their models."""

from __future__ import annotations

import json
import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.warehouse.shop import SHOP, START, add_merchants, merchant, put
from tributary.warehouse import publish as publish_module
from tributary.warehouse.errors import IncompatibleMart, StaleBuild, UnpublishableModel
from tributary.warehouse.leases import hold_days
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import Build, open_build
from tributary.warehouse.settings.merchants import apply_channels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

REVENUE = {"merchant_id": "text", "date_day": "date", "revenue": "numeric(18,2)"}
ORDERS = {"merchant_id": "text", "date_day": "date", "order_id": "text", "customer_key": "text"}
CUSTOMERS = {"merchant_id": "text", "customer_key": "text", "orders": "integer"}
BY_DAY = {"by": "day"}
FIRST = START.date()


class Warehouse:
    """A warehouse whose marts are declared and built by hand, as dbt would."""

    def __init__(self, conn: psycopg.Connection, manifest: Path) -> None:
        self.conn = conn
        self.manifest = manifest
        self.models: dict[str, Any] = {}
        self.build: Build | None = None

    def declare(self, name: str, columns: dict[str, str], publish: Any = BY_DAY, **meta: Any) -> None:
        self.models[f"model.tributary.{name}"] = {
            "resource_type": "model",
            "name": name,
            "alias": name,
            "schema": "build",
            "config": {"schema": "marts", "contract": {"enforced": True}, "meta": {"publish": publish, **meta}},
            "columns": {
                column: {
                    "name": column,
                    "data_type": data_type,
                    "constraints": [{"type": "not_null"}] if column in ("merchant_id", "date_day") else [],
                }
                for column, data_type in columns.items()
            },
            "constraints": [{"type": "primary_key", "columns": meta["primary_key"]}] if "primary_key" in meta else [],
        }
        self.manifest.write_text(json.dumps({"nodes": self.models}))

    def open(self, *touched: tuple[str, int], everything: bool = False) -> Build:
        for merchant_id, day in touched:
            self.conn.execute(
                "insert into ops.changes (merchant_id, channel, stream, record_id, operation, new_event_at) "
                "values (%s, 'shop', 'orders', '1', 'insert', %s)",
                (merchant_id, START + timedelta(days=day, hours=12)),
            )
        self.build = open_build(self.conn, "build", [SHOP], everything)
        assert self.build is not None
        return self.build

    def built(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        columns = {
            column["name"]: column["data_type"] for column in self.models[f"model.tributary.{name}"]["columns"].values()
        }
        table = sql.Identifier("build", name)
        definition = ", ".join(f'"{column}" {data_type}' for column, data_type in columns.items())
        self.conn.execute(sql.SQL("drop table if exists {}").format(table))
        self.conn.execute(sql.SQL("create table {} ({})").format(table, sql.SQL(definition)))  # type: ignore[arg-type]
        places = sql.SQL(", ").join([sql.Placeholder()] * len(columns))
        with self.conn.cursor() as cursor:
            cursor.executemany(sql.SQL("insert into {} values ({})").format(table, places), rows)

    def publish(self, merchant_id: str = "aurora") -> Any:
        assert self.build is not None
        return publish(self.conn, self.build.build_id, "build", merchant_id, self.manifest)

    def rows(self, name: str, columns: str = "*") -> list[tuple[Any, ...]]:
        return self.conn.execute(f"select {columns} from marts.{name} order by 1, 2, 3").fetchall()  # type: ignore[arg-type]

    def changes(self) -> list[tuple[Any, ...]]:
        query = "select merchant_id, operation, build_id is not null from ops.changes order by 1, 2"
        return self.conn.execute(query).fetchall()


@pytest.fixture
def warehouse(conn: psycopg.Connection, tmp_path: Path) -> Warehouse:
    add_merchants(conn, merchant(), merchant("nordlicht", "Europe/Berlin"))
    warehouse = Warehouse(conn, tmp_path / "manifest.json")
    warehouse.declare("fct_revenue", REVENUE, primary_key=["merchant_id", "date_day"], indexes=[["date_day"]])
    return warehouse


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def revenue(merchant_id: str, number: int, amount: str) -> tuple[str, date, str]:
    return merchant_id, day(number), amount


def test_publishes_exactly_the_merchants_days_of_the_scope(warehouse: Warehouse) -> None:
    warehouse.open(("aurora", 0), ("aurora", 1), ("nordlicht", 0))
    warehouse.built("fct_revenue", [revenue("aurora", 0, "1"), revenue("aurora", 1, "2"), revenue("nordlicht", 0, "3")])
    warehouse.publish("aurora")
    warehouse.publish("nordlicht")

    warehouse.open(("aurora", 1), ("aurora", 2))
    warehouse.built(
        "fct_revenue", [revenue("aurora", 0, "99"), revenue("aurora", 2, "7"), revenue("nordlicht", 0, "99")]
    )
    publication = warehouse.publish("aurora")

    found = [(merchant_id, date_day, str(amount)) for merchant_id, date_day, amount in warehouse.rows("fct_revenue")]
    assert found == [
        revenue("aurora", 0, "1.00"),
        revenue("aurora", 2, "7.00"),
        revenue("nordlicht", 0, "3.00"),
    ]
    assert publication.days == 2
    assert warehouse.conn.execute(
        "select date_day, models, rows from ops.publications where build_id = %s order by 1", (publication.build_id,)
    ).fetchall() == [(day(1), ["fct_revenue"], 0), (day(2), ["fct_revenue"], 1)]


def test_a_day_that_is_over_is_published_once_also_when_it_is_empty(warehouse: Warehouse) -> None:
    warehouse.open(("aurora", 0))
    warehouse.built("fct_revenue", [revenue("aurora", 0, "1")])
    warehouse.publish()
    apply_channels(warehouse.conn, [merchant(channels={"shop": "shop_aurora"})])
    warehouse.conn.execute(
        "insert into ops.checkpoints (merchant_id, channel, stream, position, sync_id) "
        "values ('aurora', 'shop', 'orders', %s, gen_random_uuid())",
        (START + timedelta(days=2, hours=12),),
    )

    assert warehouse.open().days == 1
    warehouse.built("fct_revenue", [])
    assert (warehouse.publish().days, warehouse.publish().rows) == (1, 0)
    assert open_build(warehouse.conn, "build", [SHOP]) is None


def test_deletes_only_its_own_claimed_changes(warehouse: Warehouse) -> None:
    warehouse.open(("aurora", 0), ("nordlicht", 0))
    warehouse.built("fct_revenue", [revenue("aurora", 0, "1")])
    warehouse.conn.execute(
        "insert into ops.changes (merchant_id, channel, stream, record_id, operation, new_event_at) "
        "values ('aurora', 'shop', 'orders', '9', 'update', now())"
    )
    warehouse.publish("aurora")

    assert warehouse.changes() == [("aurora", "update", False), ("nordlicht", "insert", True)]


def test_repeating_it_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.open(("aurora", 0))
    warehouse.built("fct_revenue", [revenue("aurora", 0, "1")])
    first = warehouse.publish()
    rows = warehouse.rows("fct_revenue")

    assert warehouse.publish() == first
    assert warehouse.rows("fct_revenue") == rows
    assert warehouse.conn.execute("select count(*) from ops.publications").fetchone() == (1,)


def test_a_build_that_was_taken_over_is_refused(warehouse: Warehouse) -> None:
    warehouse.open(("aurora", 0))
    warehouse.built("fct_revenue", [revenue("aurora", 0, "1")])
    with pytest.raises(StaleBuild, match="a later build took its changes over"):
        publish(warehouse.conn, uuid4(), "build", "aurora", warehouse.manifest)
    assert warehouse.changes() == [("aurora", "insert", True)]


def test_a_model_that_was_not_built_stops_everything(warehouse: Warehouse) -> None:
    warehouse.declare("fct_orders", ORDERS)
    warehouse.open(("aurora", 0))
    warehouse.built("fct_revenue", [revenue("aurora", 0, "1")])
    with pytest.raises(UnpublishableModel, match=r"build\.fct_orders does not exist"):
        warehouse.publish()
    assert warehouse.conn.execute("select to_regclass('marts.fct_revenue')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"columns": {"merchant_id": {"name": "merchant_id"}}},
            "column 'merchant_id' of its contract needs a `data_type`",
        ),
        ({"config": {"schema": "marts"}}, "contract: {enforced: true}"),
        ({"config": {"schema": "marts", "contract": {"enforced": True}}}, r"`meta\.publish` is None"),
    ],
)
def test_a_model_that_does_not_declare_enough_is_named(
    warehouse: Warehouse, change: dict[str, Any], message: str
) -> None:
    warehouse.models["model.tributary.fct_revenue"].update(change)
    warehouse.manifest.write_text(json.dumps({"nodes": warehouse.models}))
    warehouse.open(("aurora", 0))
    with pytest.raises(UnpublishableModel, match=f"fct_revenue: .*{message}"):
        warehouse.publish()


def test_a_table_follows_its_contract(warehouse: Warehouse) -> None:
    warehouse.open(("aurora", 0))
    warehouse.built("fct_revenue", [])
    warehouse.publish()

    columns = warehouse.conn.execute(
        "select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute "
        "where attrelid = 'marts.fct_revenue'::regclass and attnum > 0 order by attnum"
    ).fetchall()
    assert columns == [("merchant_id", "text", True), ("date_day", "date", True), ("revenue", "numeric(18,2)", False)]
    indexes = warehouse.conn.execute("select indexdef from pg_indexes where schemaname = 'marts'").fetchall()
    assert sorted(definition.split("USING ")[1] for (definition,) in indexes) == [
        "btree (date_day)",
        "btree (merchant_id, date_day)",
    ]
    owner = warehouse.conn.execute("select tableowner from pg_tables where schemaname = 'marts'").fetchone()
    assert owner == ("tributary_pipeline",)


def test_readers_see_all_of_the_old_or_all_of_the_new(
    warehouse: Warehouse, connect: Callable[[], psycopg.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.declare("fct_orders", ORDERS)

    def build(amount: int) -> None:
        warehouse.open(("aurora", 0), ("aurora", 1))
        warehouse.built("fct_revenue", [revenue("aurora", n, str(amount)) for n in range(2)])
        warehouse.built("fct_orders", [("aurora", day(n), str(i), "c") for n in range(2) for i in range(amount)])

    build(1)
    warehouse.publish()
    stop = threading.Event()
    started = threading.Event()
    seen: set[tuple[Any, ...]] = set()

    def look() -> None:
        with connect() as reader:
            seen.update(
                reader.execute(
                    "select (select sum(revenue) from marts.fct_revenue)::int, "
                    "(select count(*) from marts.fct_orders)::int"
                ).fetchall()
            )

    def keep_looking() -> None:
        while not stop.is_set():
            look()
            started.set()

    # One reader looks all the time, another one in the middle of every swap.
    monkeypatch.setattr(publish_module, "failpoint", lambda _: look())
    thread = threading.Thread(target=keep_looking)
    thread.start()
    assert started.wait(20)
    for amount in range(2, 8):
        build(amount)
        warehouse.publish()
    stop.set()
    thread.join()
    look()

    assert seen == {(2 * amount, 2 * amount) for amount in range(1, 8)}


@pytest.mark.parametrize("place", ["marts prepared", "swapped"])
def test_killed_anywhere_readers_keep_the_old_and_a_rerun_ends_the_same(
    warehouse: Warehouse, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.open(("aurora", 0))
    warehouse.built("fct_revenue", [revenue("aurora", 0, "1")])
    warehouse.publish()
    old = warehouse.rows("fct_revenue")
    warehouse.open(("aurora", 0))
    warehouse.built("fct_revenue", [revenue("aurora", 0, "2")])

    def kill(name: str) -> None:
        if name == place:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publish_module, "failpoint", kill)
        with pytest.raises(KeyboardInterrupt):
            warehouse.publish()
    assert warehouse.rows("fct_revenue") == old
    assert warehouse.changes() == [("aurora", "insert", True)]

    warehouse.publish()
    assert [str(amount) for _, _, amount in warehouse.rows("fct_revenue")] == ["2.00"]
    assert warehouse.changes() == []


@pytest.fixture
def published(warehouse: Warehouse) -> Warehouse:
    """Two merchants with two published days each."""
    touched = [(merchant_id, n) for merchant_id in ("aurora", "nordlicht") for n in range(2)]
    for merchant_id, n in touched:
        put(warehouse.conn, merchant_id, "orders", f"{merchant_id}{n}", START + timedelta(days=n, hours=12))
    warehouse.open(*touched)
    warehouse.built("fct_revenue", [revenue(merchant_id, n, "1") for merchant_id, n in touched])
    warehouse.publish("aurora")
    warehouse.publish("nordlicht")
    assert warehouse.changes() == []
    return warehouse


def test_a_new_column_marks_all_days_of_all_merchants(published: Warehouse) -> None:
    published.declare("fct_revenue", {"margin": "numeric", **REVENUE})
    published.open(("aurora", 0))
    published.built("fct_revenue", [("0.5", *revenue("aurora", 0, "2"))])
    published.publish("aurora")

    assert [row[2:] for row in published.rows("fct_revenue", "merchant_id, date_day, revenue::int, margin::text")] == [
        (2, "0.5"),
        (1, None),
        (1, None),
        (1, None),
    ]
    assert published.changes() == [("aurora", "settings", False), ("nordlicht", "settings", False)]
    assert published.open().days == 4


def test_a_new_mart_marks_the_days_that_it_lacks(published: Warehouse) -> None:
    published.declare("fct_orders", ORDERS)
    published.open(("aurora", 0), ("aurora", 1))
    published.built("fct_revenue", [revenue("aurora", n, "2") for n in range(2)])
    published.built("fct_orders", [])
    published.publish("aurora")

    assert published.changes() == [("nordlicht", "settings", False)]


CHANGES = {
    "type": (
        {**REVENUE, "revenue": "bigint"},
        "column 'revenue' has type numeric(18,2) in marts.fct_revenue and is type bigint",
    ),
    "gone": (
        {"merchant_id": "text", "date_day": "date"},
        "column 'revenue' has type numeric(18,2) in marts.fct_revenue and is gone",
    ),
}


@pytest.mark.parametrize(("columns", "message"), CHANGES.values(), ids=CHANGES.keys())
def test_any_other_change_waits_for_a_build_over_everything(
    published: Warehouse, columns: dict[str, str], message: str
) -> None:
    published.conn.execute("update marts.fct_revenue set revenue = 1")
    before = published.rows("fct_revenue")
    published.declare("fct_revenue", columns)
    rows = [revenue(merchant_id, n, "5")[: len(columns)] for merchant_id in ("aurora", "nordlicht") for n in range(2)]
    published.open(("aurora", 0))
    published.built("fct_revenue", rows)
    with pytest.raises(IncompatibleMart) as refused:
        published.publish("aurora")
    assert message in str(refused.value)
    assert "everything" in str(refused.value)
    assert published.rows("fct_revenue") == before

    published.open(everything=True)
    published.built("fct_revenue", rows)
    published.publish("aurora")
    published.publish("nordlicht")
    assert sorted(published.rows("fct_revenue", "*, 0")) == sorted((*row[:2], *map(int, row[2:]), 0) for row in rows)
    assert published.changes() == []


HOLDER = uuid4()


def hold(conn: psycopg.Connection, *numbers: int, merchant_id: str = "aurora", expires: str = "1 hour") -> None:
    """Let a backfill be at work on these days."""
    conn.execute(
        "insert into ops.leases (merchant_id, backfill_id, holder, reason, expires_at, days) "
        "values (%s, %s, 'engineer', 'because', now() + %s::interval, '{}') on conflict do nothing",
        (merchant_id, HOLDER, expires),
    )
    hold_days(conn, HOLDER, merchant_id, [day(number) for number in numbers])


def amounts(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return [
        (merchant_id, (date_day - FIRST).days, int(amount))
        for merchant_id, date_day, amount in warehouse.rows("fct_revenue")
    ]


OLD = [("aurora", 0, 1), ("aurora", 1, 1), ("nordlicht", 0, 1), ("nordlicht", 1, 1)]


@pytest.mark.parametrize("everything", [False, True])
def test_days_of_a_backfill_wait_and_come_with_the_next_build(published: Warehouse, everything: bool) -> None:
    days = [(merchant_id, n) for merchant_id in ("aurora", "nordlicht") for n in range(2)]

    def build(amount: str, *touched: tuple[str, int]) -> None:
        published.open(*touched, everything=everything and bool(touched))
        published.built("fct_revenue", [revenue(merchant_id, n, amount) for merchant_id, n in days])

    hold(published.conn, 1)
    # One of the changes is only of a day that waits, the other only of one that does not.
    for amount in ("2", "3"):
        build(amount, *days)
        held, other = published.publish("aurora"), published.publish("nordlicht")
        assert (held.days, held.waiting, other.days, other.waiting) == (1, (day(1),), 2, ())
        new = int(amount)
        assert amounts(published) == [("aurora", 0, new), OLD[1], ("nordlicht", 0, new), ("nordlicht", 1, new)]
    assert {merchant_id for merchant_id, *_ in published.changes()} == {"aurora"}
    dated = published.conn.execute("select distinct date_day from ops.publications where merchant_id = 'aurora'")
    assert len(dated.fetchall()) == 2

    published.conn.execute("delete from ops.leases")
    build("4")
    assert published.publish("aurora").waiting == ()
    assert amounts(published) == [("aurora", 0, 4), ("aurora", 1, 4), ("nordlicht", 0, 3), ("nordlicht", 1, 3)]
    assert published.changes() == []


def test_a_rebuild_that_nothing_asked_for_comes_to_the_days_that_waited(published: Warehouse) -> None:
    hold(published.conn, 1)
    published.open(everything=True)
    published.built("fct_revenue", [revenue("aurora", n, "2") for n in range(2)])
    published.publish("aurora")
    assert amounts(published) == [("aurora", 0, 2), *OLD[1:]]

    published.conn.execute("delete from ops.leases")
    scope = published.open()
    assert (scope.merchants, scope.days) == (["aurora"], 1)
    published.built("fct_revenue", [revenue("aurora", 1, "2")])
    published.publish("aurora")
    assert amounts(published)[:2] == [("aurora", 0, 2), ("aurora", 1, 2)]
    assert published.changes() == []


@pytest.mark.parametrize(("at_work_on", "moved"), [(0, (0, 1)), (1, (0, 1))])
def test_a_row_that_moves_between_a_day_that_waits_and_another_waits_whole(
    warehouse: Warehouse, at_work_on: int, moved: tuple[int, int]
) -> None:
    first, then = moved
    columns = {"merchant_id": "text", "date_day": "date", "customer": "text"}
    warehouse.declare("dim_customers", columns, primary_key=["merchant_id", "customer"])
    for number in (first, then):
        warehouse.open(("aurora", 0), ("aurora", 1))
        warehouse.built("fct_revenue", [revenue("aurora", n, "1") for n in range(2)])
        warehouse.built("dim_customers", [("aurora", day(number), "ann"), ("aurora", day(0), "bob")])
        if number == first:
            warehouse.publish("aurora")
            hold(warehouse.conn, at_work_on)
        else:
            assert sorted(warehouse.publish("aurora").waiting) == [day(0), day(1)]
    there = [("aurora", day(first), "ann"), ("aurora", day(0), "bob")]
    assert sorted(warehouse.rows("dim_customers")) == sorted(there)

    warehouse.conn.execute("delete from ops.leases")
    warehouse.open()
    warehouse.built("fct_revenue", [revenue("aurora", n, "1") for n in range(2)])
    warehouse.built("dim_customers", [("aurora", day(then), "ann"), ("aurora", day(0), "bob")])
    assert warehouse.publish("aurora").waiting == ()
    assert ("aurora", day(then), "ann") in warehouse.rows("dim_customers")
    assert warehouse.changes() == []


def test_a_lease_that_expired_and_ones_own_hold_nothing(published: Warehouse) -> None:
    hold(published.conn, 0, 1, expires="-1 second")
    build = published.open(("aurora", 0), ("aurora", 1))
    published.built("fct_revenue", [revenue("aurora", n, "2") for n in range(2)])
    assert published.publish("aurora").waiting == ()

    published.conn.execute(
        "update ops.leases set expires_at = now() + interval '1 hour', backfill_id = %s", (build.build_id,)
    )
    assert published.publish("aurora").waiting == ()
    assert amounts(published)[:2] == [("aurora", 0, 2), ("aurora", 1, 2)]


def test_a_publication_sees_the_days_that_were_held_just_before(
    published: Warehouse, connect: Callable[[], psycopg.Connection]
) -> None:
    """Whoever holds them has looked at production already, and commits in a moment."""
    published.open(("aurora", 0), ("aurora", 1))
    published.built("fct_revenue", [revenue("aurora", n, "2") for n in range(2)])
    holding = connect()
    hold(holding, 1)
    thread = threading.Thread(target=published.publish)
    thread.start()
    with connect() as looking:
        query = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while not looking.execute(query).fetchall():
            looking.rollback()
    holding.commit()
    holding.close()
    thread.join(60)
    assert amounts(published)[:2] == [("aurora", 0, 2), OLD[1]]


def test_a_column_changes_its_type_only_while_no_day_waits(published: Warehouse) -> None:
    published.declare("fct_revenue", {**REVENUE, "revenue": "bigint"})
    hold(published.conn, 1)
    published.open(everything=True)
    published.built("fct_revenue", [revenue(*each) for each in (("aurora", 0, "5"), ("aurora", 1, "5"))])
    with pytest.raises(IncompatibleMart, match="while no backfill holds days"):
        published.publish("aurora")
    with pytest.raises(IncompatibleMart):
        published.publish("nordlicht")
    assert amounts(published) == OLD

    published.conn.execute("delete from ops.leases")
    published.publish("aurora")
    assert amounts(published)[:2] == [("aurora", 0, 5), ("aurora", 1, 5)]


def test_a_new_column_comes_to_the_days_that_wait(published: Warehouse) -> None:
    published.declare("fct_revenue", {**REVENUE, "margin": "numeric"})
    hold(published.conn, 1)
    published.open(everything=True)
    published.built("fct_revenue", [(*revenue("aurora", n, "2"), "0.5") for n in range(2)])
    published.publish("aurora")
    published.conn.execute("delete from ops.leases")
    published.open()
    assert (day(1),) in published.conn.execute("select date_day from build.scope").fetchall()


def test_a_type_that_old_rows_cannot_take_is_refused_with_a_way_out(published: Warehouse) -> None:
    published.declare("fct_revenue", {**REVENUE, "revenue": "boolean"})
    published.open(everything=True)
    published.built("fct_revenue", [("aurora", day(0), True)])
    with pytest.raises(IncompatibleMart, match=r"marts\.fct_revenue .*Drop the table"):
        published.publish("aurora")
    assert len(published.rows("fct_revenue")) == 4


def test_entities_are_replaced_by_key_and_leave_when_nothing_names_them(warehouse: Warehouse) -> None:
    warehouse.declare("fct_orders", ORDERS)
    warehouse.declare("dim_customers", CUSTOMERS, publish={"by": "key", "key": ["merchant_id", "customer_key"]})
    warehouse.open(("aurora", 0), ("aurora", 1), ("nordlicht", 0))
    warehouse.built("fct_revenue", [])
    warehouse.built(
        "fct_orders",
        [
            ("aurora", day(0), "1", "ann"),
            ("aurora", day(0), "2", "bob"),
            ("aurora", day(1), "3", "ann"),
            ("aurora", day(0), "4", "cem"),
            ("nordlicht", day(0), "1", "bob"),
        ],
    )
    customers = [("aurora", "ann", 2), ("aurora", "bob", 1), ("aurora", "cem", 1), ("nordlicht", "bob", 1)]
    warehouse.built("dim_customers", customers)
    warehouse.publish("aurora")
    warehouse.publish("nordlicht")
    assert warehouse.rows("dim_customers") == customers

    # On day 0 ann's and bob's orders vanish; ann still has day 1, and cem ordered more.
    warehouse.open(("aurora", 0))
    warehouse.built("fct_revenue", [])
    warehouse.built("fct_orders", [("aurora", day(0), "4", "cem")])
    warehouse.built("dim_customers", [("aurora", "cem", 9)])
    warehouse.publish("aurora")

    assert warehouse.rows("dim_customers") == [("aurora", "ann", 2), ("aurora", "cem", 9), ("nordlicht", "bob", 1)]


@pytest.fixture
def readers(postgres_server_url: str, conn: psycopg.Connection) -> Iterator[dict[str, psycopg.Connection]]:
    """Logins: an analyst who reads all, one for each merchant, and one who is nobody."""
    roles = {
        "all": "tributary_reader",
        "aurora": "tributary_reader_aurora",
        "nordlicht": "tributary_reader_nordlicht",
        "nobody": "tributary_merchant_reader",
    }
    suffix = uuid4().hex[:8]
    connections = {}
    for name, role in roles.items():
        conn.execute(f"create role test_{name}_{suffix} nologin in role {role}")  # type: ignore[arg-type]
        connections[name] = psycopg.connect(conn.info.dsn, password=conn.info.password or None, autocommit=True)
        connections[name].execute(f"set session authorization test_{name}_{suffix}")  # type: ignore[arg-type]
    yield connections
    for name, connection in connections.items():
        connection.close()
        conn.execute(f"drop role test_{name}_{suffix}")  # type: ignore[arg-type]


def test_each_tenant_reads_its_own_rows(published: Warehouse, readers: dict[str, psycopg.Connection]) -> None:
    def merchants(name: str) -> set[str]:
        return {row[0] for row in readers[name].execute("select merchant_id from marts.fct_revenue").fetchall()}

    assert merchants("all") == {"aurora", "nordlicht"}
    assert merchants("aurora") == {"aurora"}
    assert merchants("nordlicht") == {"nordlicht"}
    assert merchants("nobody") == set()


@pytest.mark.parametrize(
    "query",
    [
        "select * from ops.secrets",
        "select ops.customer_key('aurora', 'someone@example.com')",
        "select * from raw.shop_orders",
        "delete from marts.fct_revenue",
        "select * from ops.dead_letters",
    ],
)
@pytest.mark.parametrize("reader", ["all", "aurora"])
def test_readers_read_marts_and_nothing_else(
    published: Warehouse, readers: dict[str, psycopg.Connection], reader: str, query: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        readers[reader].execute(query)  # type: ignore[arg-type]


def test_a_reader_in_the_way_of_a_new_column_is_waited_for_in_short_tries(
    published: Warehouse, connect: Callable[[], psycopg.Connection]
) -> None:
    published.declare("fct_revenue", {**REVENUE, "margin": "numeric"})
    published.open(("aurora", 0))
    published.built("fct_revenue", [(*revenue("aurora", 0, "2"), "0.5")])
    slow = connect()
    slow.execute("select * from marts.fct_revenue")
    done = threading.Event()

    def run() -> None:
        published.publish("aurora")
        done.set()

    publisher = threading.Thread(target=run)
    publisher.start()
    try:
        # While the slow reader's transaction is open, others are held up for one short try at most.
        with connect() as quick:
            quick.execute("set statement_timeout = '5s'")
            for _ in range(20):
                quick.execute("select count(*) from marts.fct_revenue")
                quick.commit()
        assert not done.is_set()
    finally:
        slow.close()
        publisher.join(timeout=60)
    assert done.is_set()
