"""The audit of backfills: added to, never changed, by nobody but a superuser."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tributary.backfill import audit
from tributary.backfill.asking.request import insert
from tributary.backfill.state import ENDED, Status, build_schema
from tributary.channels import CHANNELS
from tributary.local.databases import create_databases, seal_audit
from tributary.local.environment import WAREHOUSE_DATABASE, WAREHOUSE_USER
from tributary.local.postgres import temporary_server
from tributary.warehouse.migrate import migrate
from tributary.warehouse.settings.readers import create_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHANGES = (
    "update audit.backfill_events set reason = 'another'",
    "delete from audit.backfill_events",
    "truncate audit.backfill_events",
    "update audit.backfills set reason = 'another'",
    "delete from audit.backfills",
    "truncate audit.backfills",
)
DROPS = ("drop table audit.backfill_events cascade", "drop view audit.backfills")
NOT_ALLOWED = (
    psycopg.errors.InsufficientPrivilege,
    # of the view: it shows the latest of several rows
    psycopg.errors.ObjectNotInPrerequisiteState,
    psycopg.errors.WrongObjectType,
)
ROLES = """
select rolname::text from pg_roles where not rolsuper and rolname not like 'pg\\_%' order by 1
"""

# Who owns the schema, the table and the view, whether they may log in, and how many others may act as they.
OWNERS = """
select
    rolname::text, rolcanlogin, (select count(*) from pg_auth_members where roleid = roles.oid)
from pg_roles as roles
inner join (
    select nspowner as owner from pg_namespace where nspname = 'audit'
    union all
    select relowner from pg_class
    where oid in ('audit.backfill_events'::regclass, 'audit.backfills'::regclass)
) as owned on roles.oid = owned.owner
"""


def begun(conn: psycopg.Connection, status: str = "running", **values: Any) -> UUID:
    """A backfill as its request writes it."""
    backfill_id = uuid4()
    row = {
        "backfill_id": backfill_id,
        "kind": "backfill",
        "dag_id": "backfill",
        "run_id": str(backfill_id),
        "run_url": "http://x",
        "requested_by": "engineer",
        "environment": "production",
        "role": "engineer",
        "merchants": ["aurora"],
        "channels": [],
        "models": ["fct_orders"],
        "mode": "rebuild",
        "is_dry_run": False,
        "needs_approval": False,
        "reason": "Refunds came late",
        "build_schema": build_schema(backfill_id),
        "status": status,
        "step": "request",
    } | values
    with conn.transaction():
        insert(conn, row)
    return backfill_id


def connected(url: str, **values: str) -> psycopg.Connection:
    return psycopg.connect(make_conninfo(url, **values), autocommit=True)


@pytest.fixture(scope="module")
def installed() -> Iterator[tuple[str, str]]:
    """A warehouse as an installation makes it, twice as it is started twice: the superuser's URL, and the login's."""
    with temporary_server() as server:
        admin = make_conninfo(server, dbname=WAREHOUSE_DATABASE)
        login = make_conninfo(admin, user=WAREHOUSE_USER, password="secret")
        parts = conninfo_to_dict(login)
        url = f"postgresql://{WAREHOUSE_USER}:secret@{parts['host']}:{parts['port']}/{WAREHOUSE_DATABASE}"
        for _ in range(2):
            create_databases(server, "secret", "secret")
            migrate(url, CHANNELS)
            seal_audit(server)
        with connected(login) as conn:
            create_reader(conn, "tributary_reader_aurora")
            begun(conn)
        with connected(admin) as conn:
            conn.execute("create role stranger login password 'secret'")
            conn.execute("create role mistress login createrole createdb password 'secret'")
        yield admin, login


def refuse(conn: psycopg.Connection, who: str, statements: tuple[str, ...]) -> None:
    for statement in statements:
        try:
            conn.execute(statement)  # type: ignore[call-overload]
        except NOT_ALLOWED:
            continue
        pytest.fail(f"{who} may {statement}")


def test_every_role_but_a_superuser_is_refused(installed: tuple[str, str]) -> None:
    admin, _ = installed
    with connected(admin) as conn:
        roles = [role for (role,) in conn.execute(ROLES.encode()).fetchall()]
        assert {"airflow", "mistress", "stranger", "tributary_audit", "tributary_merchant_reader"} <= {*roles}
        assert {"tributary_pipeline", "tributary_reader", "tributary_reader_aurora"} <= {*roles}
        before = conn.execute("select * from audit.backfill_events").fetchall()
        assert before
        for role in roles:
            conn.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            # Its owner could drop it, but nobody becomes its owner: see below.
            refuse(conn, role, CHANGES if role == "tributary_audit" else CHANGES + DROPS)
            conn.execute("reset role")
        assert conn.execute("select * from audit.backfill_events").fetchall() == before


def test_nobody_but_the_pipeline_adds_to_it(installed: tuple[str, str]) -> None:
    admin, _ = installed
    with connected(admin) as conn:
        for (role,) in conn.execute(ROLES.encode()).fetchall():
            may = conn.execute(
                "select has_schema_privilege(%(role)s, 'audit', 'usage')"
                " and has_table_privilege(%(role)s, 'audit.backfill_events', 'insert')",
                {"role": role},
            ).fetchone()
            assert may == (role in ("tributary_pipeline", "tributary_audit"),), role
        conn.execute("set role tributary_reader")
        assert conn.execute("select reason from audit.backfills").fetchall() == [("Refunds came late",)]
        assert conn.execute("select reason from audit.backfill_events").fetchall() == [("Refunds came late",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("insert into audit.backfill_events default values")


@pytest.mark.parametrize("user", [WAREHOUSE_USER, "mistress", "stranger", "airflow"])
@pytest.mark.parametrize(
    "statement",
    [
        "set role tributary_audit",
        "set session authorization tributary_audit",
        "grant tributary_audit to current_user",
        "grant tributary_audit to current_user with admin true",
        "create role accomplice in role tributary_audit",
        "create role accomplice admin current_user role current_user in role tributary_audit",
        "alter role tributary_audit login password 'mine'",
        "drop role tributary_audit",
        "reassign owned by tributary_audit to current_user",
        "drop owned by tributary_audit",
        "alter table audit.backfill_events owner to current_user",
        "alter view audit.backfills owner to current_user",
        "alter schema audit owner to current_user",
        "drop schema audit cascade",
        "grant update on audit.backfill_events to current_user",
        "create rule away as on insert to audit.backfill_events do instead nothing",
        "alter table audit.backfill_events disable trigger all",
    ],
)
def test_nobody_who_can_log_in_becomes_its_owner(installed: tuple[str, str], user: str, statement: str) -> None:
    admin, _ = installed
    with connected(admin, user=user, password="secret", dbname=WAREHOUSE_DATABASE) as conn:
        # To grant what one has not only warns whoever has something else of it.
        with suppress(*NOT_ALLOWED, psycopg.errors.DependentObjectsStillExist):
            conn.execute(statement)  # type: ignore[call-overload]
        refuse(conn, user, (*CHANGES, *DROPS, "set role tributary_audit"))
    with connected(admin) as conn:
        assert conn.execute(OWNERS).fetchall() == [("tributary_audit", False, 0)] * 3


def test_an_installation_that_made_the_role_itself_is_sealed_when_it_starts_again() -> None:
    with temporary_server() as server:
        create_databases(server, "secret", "secret")
        admin = make_conninfo(server, dbname=WAREHOUSE_DATABASE)
        with connected(admin) as conn:
            conn.execute("drop role tributary_audit")
        parts = conninfo_to_dict(admin)
        url = f"postgresql://{WAREHOUSE_USER}:secret@{parts['host']}:{parts['port']}/{WAREHOUSE_DATABASE}"
        migrate(url, [])

        create_databases(server, "secret", "secret")
        migrate(url, [])
        seal_audit(server)

        with connected(url) as conn:
            for statement in ("grant tributary_audit to current_user", "set role tributary_audit"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(statement)  # type: ignore[call-overload]


def test_a_superuser_is_not_refused(installed: tuple[str, str]) -> None:
    admin, _ = installed
    with connected(admin) as conn, conn.transaction(force_rollback=True):
        assert conn.execute("update audit.backfill_events set reason = 'x'").rowcount == 1
        assert conn.execute("delete from audit.backfill_events").rowcount == 1
        conn.execute("truncate audit.backfill_events")


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> Iterator[psycopg.Connection]:
    with connect() as connection:
        connection.autocommit = True
        yield connection


def test_the_view_shows_the_latest_state_of_each(conn: psycopg.Connection) -> None:
    first, second = begun(conn), begun(conn, "refused", error="Refused (a rule): why. Remedy.")
    assert audit.move(conn, first, "waiting")
    conn.execute("update ops.backfills set approved_by = 'manager', rows_affected = 7 where backfill_id = %s", (first,))
    assert audit.move(conn, first, "published")

    latest = dict(conn.execute("select backfill_id, status from audit.backfills").fetchall())
    assert latest == {first: "published", second: "refused"}
    history = conn.execute(
        "select status, approved_by, rows_affected, duration_seconds >= 0 from audit.backfill_events"
        " where backfill_id = %s order by event_id",
        (first,),
    ).fetchall()
    assert history == [
        ("running", None, None, True),
        ("waiting", None, None, True),
        ("published", "manager", 7, True),
    ]


@pytest.mark.parametrize("start", get_args(Status))
def test_what_is_over_stays_so_but_for_a_rollback_of_what_was_published(conn: psycopg.Connection, start: str) -> None:
    for end in get_args(Status):
        backfill_id = begun(conn, start)
        goes = end != start and (start not in ENDED or (start, end) == ("published", "rolled back"))

        assert audit.move(conn, backfill_id, end, "why") is goes
        assert not audit.move(conn, backfill_id, end, "again")

        states = conn.execute(
            "select status, error from audit.backfill_events where backfill_id = %s order by event_id", (backfill_id,)
        ).fetchall()
        assert states == [(start, None), *([(end, "why")] if goes else [])]
        latest = conn.execute("select status from ops.backfills where backfill_id = %s", (backfill_id,)).fetchone()
        assert latest == states[-1][:1]
