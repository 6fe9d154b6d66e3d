"""The drill of the runbook: its own commands back up an installation, and restore it on an empty server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from cryptography.fernet import Fernet, InvalidToken

from tributary.channels import CHANNELS
from tributary.local import environment
from tributary.local.databases import admin_url, create_databases, seal_audit
from tributary.local.environment import Installation, prepare, process_env
from tributary.local.postgres import MEMORY, ROOM_IN_MEMORY, free_port, wait_until_ready
from tributary.paths import ROOT
from tributary.warehouse.migrate import migrate
from tributary.warehouse.personal.erase import Request, erase
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build
from tributary.warehouse.settings.merchants import Merchant, apply_merchants

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUNBOOK = ROOT / "docs" / "runbooks" / "backup-and-restore.md"
MERCHANTS = {"aurora": "America/New_York", "nordlicht": "Europe/Berlin"}
DAY = date(2026, 3, 1)

# Everything that a restore has to bring back, as rows that do not depend on a server's own numbers.
OURS = "nspname !~ '^pg_' and nspname <> 'information_schema'"
CATALOG = {
    "database": """
        select datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datlocprovider, datlocale,
            granted.grantee = 0, pg_get_userbyid(granted.grantee), granted.privilege_type
        from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) as granted
        where datname = current_database()
    """,
    "schemas": f"""
        select nspname, pg_get_userbyid(nspowner), granted.grantee::regrole::text, granted.privilege_type
        from pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) as granted where {OURS}
    """,
    "relations": f"""
        select nspname, relname, relkind, pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity, reloptions,
            case when relkind = 'v' then pg_get_viewdef(pg_class.oid) end, obj_description(pg_class.oid, 'pg_class')
        from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace where {OURS}
    """,
    "columns": f"""
        select nspname, relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attcompression,
            pg_get_expr(adbin, adrelid), col_description(pg_class.oid, attnum)
        from pg_attribute
        inner join pg_class on pg_class.oid = attrelid inner join pg_namespace on pg_namespace.oid = relnamespace
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attnum > 0 and not attisdropped and {OURS}
    """,
    "constraints": f"""
        select nspname, conrelid::regclass::text, conname, pg_get_constraintdef(pg_constraint.oid)
        from pg_constraint inner join pg_namespace on pg_namespace.oid = connamespace where {OURS}
    """,
    "indexes": f"select schemaname, indexname, indexdef from pg_indexes where {OURS.replace('nspname', 'schemaname')}",
    "policies": "select schemaname, tablename, policyname, roles::text, cmd, qual, with_check from pg_policies",
    "functions": f"""
        select nspname, pg_get_functiondef(pg_proc.oid), pg_get_userbyid(proowner)
        from pg_proc inner join pg_namespace on pg_namespace.oid = pronamespace where {OURS}
    """,
    "rights": f"""
        select nspname, relname, pg_get_userbyid(granted.grantor), granted.grantee = 0,
            pg_get_userbyid(granted.grantee), granted.privilege_type, granted.is_grantable
        from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace,
            aclexplode(coalesce(relacl, acldefault(case relkind when 'S' then 's'::"char" else 'r' end, relowner)))
            as granted
        where relkind in ('r', 'v', 'S') and {OURS}
    """,
    "rights to functions": f"""
        select nspname, proname, granted.grantee = 0, pg_get_userbyid(granted.grantee), granted.privilege_type
        from pg_proc inner join pg_namespace on pg_namespace.oid = pronamespace,
            aclexplode(coalesce(proacl, acldefault('f', proowner))) as granted where {OURS}
    """,
    "rights by default": """
        select pg_get_userbyid(defaclrole), nspname, defaclobjtype, pg_get_userbyid(granted.grantee),
            granted.privilege_type
        from pg_default_acl left join pg_namespace on pg_namespace.oid = defaclnamespace,
            aclexplode(defaclacl) as granted
    """,
    "sequences": "select schemaname, sequencename, last_value, increment_by from pg_sequences",
    "roles": """
        select rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolbypassrls from pg_roles
    """,
    "members": """
        select pg_get_userbyid(roleid), pg_get_userbyid(member), pg_get_userbyid(grantor), admin_option,
            inherit_option, set_option
        from pg_auth_members
    """,
}
TABLES = f"""
    select format('%I.%I', nspname, relname)
    from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
    where relkind = 'r' and {OURS} order by 1
"""


MIGRATE_AND_LOAD = """
from airflow.utils.db import upgradedb
from tributary.local.settings import load
upgradedb()
load()
"""
READ = """
from airflow.models import Connection
from airflow.utils.db import check_migrations
from airflow.utils.session import create_session
from sqlalchemy import select
check_migrations(0)
with create_session() as session:
    print(session.scalar(select(Connection).where(Connection.conn_id == "shopify_aurora")).password)
"""


@dataclass
class Drill:
    """An installation as it was, and as it is after the restore."""

    home: Path
    source: Installation
    target: Installation
    env: Mapping[str, str]
    said: dict[str, str] = field(default_factory=dict)
    was: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The Fernet key."""
        return self.env["AIRFLOW__CORE__FERNET_KEY"]

    def connect(self, database: str = "tributary") -> psycopg.Connection:
        """The server that runs now, as its administrator."""
        return psycopg.connect(self.target.server().url, dbname=database, autocommit=True)

    @property
    def backup(self) -> Path:
        """The folder of the one backup."""
        [made] = (self.home / "backups").iterdir()
        return made

    def run(self, installation: Installation, *scripts: str, **more: str) -> subprocess.CompletedProcess[str]:
        """What a person types into one bash. It speaks into a file: a server that goes on would keep a pipe open."""
        env = {**os.environ, "TRIBUTARY_LOCAL": str(installation.local), "BACKUPS": str(self.home / "backups"), **more}
        with (self.home / "said").open("w+") as said:
            done = subprocess.run(
                ["bash", "-c", "\n".join(scripts)],
                cwd=ROOT,
                env=env,
                stdout=said,
                stderr=subprocess.STDOUT,
                check=False,
            )
            said.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, said.read())


def blocks(heading: str) -> list[str]:
    """The commands of a section of the runbook, block by block."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    assert section, heading
    return re.findall(r"^```bash\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)


WHERE, _COMPOSE, _OWN_SERVER, _FOLDER = blocks("1. Say where the server is")
[BACK_UP] = blocks("2. Back up")
VERIFY, COMPARE = blocks("3. Verify")
START_ALONE, _START_COMPOSE, RESTORE = blocks("4. Restore")


@pytest.fixture(scope="module")
def drill() -> Iterator[Drill]:
    """One backup of a full installation, restored on a server that was empty."""
    # A restore commits each table by itself, which in memory costs nothing.
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_IN_MEMORY
    where = str(MEMORY) if roomy else None
    with tempfile.TemporaryDirectory(prefix="tributary-", dir=where, ignore_cleanup_errors=True) as folder, ports():
        home = Path(folder).resolve()
        home.chmod(0o755)
        source, target = Installation(home / "it's here"), Installation(home / "and there")
        drill = Drill(home, source, target, prepare(source))
        with running(source):
            fill(drill)
            drill.said["backup"] = said(drill.run(source, WHERE, BACK_UP, VERIFY, COMPARE))
            drill.was = {name: fingerprint(source, name) for name in ("tributary", "airflow")}
        target.local.mkdir()
        shutil.copy(source.state_file, target.state_file)
        try:
            drill.said["restore"] = said(drill.run(target, START_ALONE, WHERE, RESTORE, BACKUP=str(drill.backup)))
            start(target, drill.env)
            yield drill
        finally:
            target.server().stop()


@contextmanager
def ports() -> Iterator[None]:
    """Ports that nobody else has, and nothing of what the user has set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TRIBUTARY_POSTGRES_URL", raising=False)
        patch.setattr(environment, "dotenv", dict)
        for server in environment.PORTS:
            patch.delenv(f"TRIBUTARY_PORT_{server.upper()}", raising=False)
            patch.setitem(environment.PORTS, server, free_port())
        yield


@contextmanager
def running(installation: Installation) -> Iterator[None]:
    """The installation's server, while this lasts."""
    server = installation.server()
    server.create()
    process = server.start(subprocess.DEVNULL)  # type: ignore[arg-type]
    try:
        wait_until_ready(server.url, alive=lambda: process.poll() is None)
        yield
    finally:
        server.stop()


def start(installation: Installation, env: Mapping[str, str]) -> None:
    """What each start of an installation does to its databases."""
    known = installation.state()["secrets"]
    create_databases(admin_url(installation), known["metadata"], known["warehouse"])
    migrate(env["WAREHOUSE_URL"], CHANNELS)
    seal_audit(admin_url(installation))


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What a script said that has to succeed."""
    assert done.returncode == 0, done.stdout
    return done.stdout


def fill(drill: Drill) -> None:
    """An installation that has seen something: figures, people, an erasure, incidents, users, connections, a run."""
    start(drill.source, drill.env)
    airflow(drill.env, MIGRATE_AND_LOAD)
    with psycopg.connect(drill.source.server().url, dbname="airflow") as conn:
        conn.execute(
            "insert into dag_run (dag_id, run_id, run_type, state, run_after) "
            "values ('transform', 'manual__1', 'manual', 'success', now())"
        )
    with psycopg.connect(drill.env["WAREHOUSE_URL"], autocommit=True) as conn:
        apply_merchants(conn, [Merchant(one, one, zone, "USD", False, DAY, {}) for one, zone in MERCHANTS.items()])
        sell(conn)
        publish_revenue(conn, drill.home / "manifest.json")
        erase_ann(conn)
        happen(conn)
        conn.execute(
            "insert into ops.vendor_tokens (grant_key, connection, pair, access_ends_at, authorisation_ends_at) "
            "values ('digest', 'tiktok_shop_aurora', %s, now(), now())",
            (Fernet(drill.key).encrypt(b"the vendor's pair"),),
        )
    with psycopg.connect(drill.source.server().url, dbname="tributary") as conn:
        conn.execute("create role accountant login password 'theirs' in role tributary_reader_aurora")


def airflow(env: Mapping[str, str], script: str) -> str:
    """What Airflow says to a few lines of Python, in the installation's environment."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=process_env(env), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sell(conn: psycopg.Connection) -> None:
    """Orders of two people, of whom one will ask to be erased."""
    for merchant_id in MERCHANTS:
        for number, name in enumerate(("ann", "bob")):
            order = {"legacyResourceId": str(number), "email": f"{name}@example.com", "note": "a 'quoted' \\ ☃"}
            conn.execute(
                "insert into raw.shopify_orders "
                "(merchant_id, record_id, event_at, updated_at, payload, payload_hash, sync_id) "
                "values (%s, %s, '2026-03-01 15:00Z', '2026-03-01 15:00Z', %s, '\\x00ff', gen_random_uuid())",
                (merchant_id, str(number), json.dumps(order)),
            )


def publish_revenue(conn: psycopg.Connection, manifest: Path) -> None:
    """A mart with a row of each merchant, published as every other."""
    types = {"merchant_id": "text", "date_day": "date", "orders": "bigint", "revenue": "numeric(18,2)"}
    columns = {name: {"name": name, "data_type": data_type, "constraints": []} for name, data_type in types.items()}
    model = {
        "resource_type": "model",
        "name": "fct_daily_metrics",
        "config": {"schema": "marts", "contract": {"enforced": True}, "meta": {"publish": {"by": "day"}}},
        "columns": columns,
        "constraints": [{"type": "primary_key", "columns": ["merchant_id", "date_day"]}],
    }
    manifest.write_text(json.dumps({"nodes": {"fct_daily_metrics": model}}))
    conn.execute(
        "insert into ops.changes (merchant_id, channel, stream, record_id, operation, new_event_at) "
        "select merchant_id, 'shopify', 'orders', '1', 'insert', '2026-03-01 15:00Z' from ops.merchants"
    )
    build = open_build(conn, "build", CHANNELS)
    assert build is not None
    conn.execute("set role tributary_pipeline")
    conn.execute(
        "create table build.fct_daily_metrics (merchant_id text, date_day date, orders bigint, revenue numeric(18, 2))"
    )
    conn.execute("reset role")
    for merchant_id, revenue in {"aurora": "1234.56", "nordlicht": "0.10"}.items():
        conn.execute("insert into build.fct_daily_metrics values (%s, %s, 2, %s)", (merchant_id, DAY, revenue))
        publish(conn, build.build_id, "build", merchant_id, manifest)


def erase_ann(conn: psycopg.Connection) -> None:
    """One of the two is masked, and the audit says so."""
    key = conn.execute("select ops.customer_key('aurora', 'email:ann@example.com')").fetchone()
    assert key
    done = erase(conn, CHANNELS, Request("aurora", str(key[0]), "admin", "ticket 1", is_dry_run=False))
    assert done.outcome == "erased"


def happen(conn: psycopg.Connection) -> None:
    """An incident, and a backfill on the audit's record."""
    conn.execute(
        "insert into ops.incidents (merchant_id, dataset, check_name, severity, holds_back, what, dag_id, run_id, "
        "run_url, run_started_at, opened_at, last_seen_at) "
        "values ('aurora', 'fct_orders', 'a check', 'blocking', true, 'this', 'transform', '', '', now(), now(), now())"
    )
    conn.execute(
        "insert into audit.backfill_events (backfill_id, kind, status, triggered_at, environment, role, merchants, "
        "channels, models_affected, mode, is_dry_run, reason) "
        "values (gen_random_uuid(), 'backfill', 'published', now(), 'production', 'engineer', '{aurora}', '{}', '{}', "
        "'rebuild', false, 'because')"
    )


def fingerprint(installation: Installation, database: str) -> dict[str, Any]:
    """All that a database is, and a digest of the rows of each table."""
    with psycopg.connect(installation.server().url, dbname=database) as conn:
        found: dict[str, Any] = {name: sorted(map(repr, conn.execute(query))) for name, query in CATALOG.items()}  # type: ignore[call-overload]
        for (table,) in conn.execute(TABLES).fetchall():  # type: ignore[call-overload]
            digest = f"select count(*), md5(string_agg(one::text, ' ' order by one::text)) from {table} as one"
            found[table] = conn.execute(digest).fetchone()  # type: ignore[call-overload]
    return found


@pytest.mark.parametrize("database", ["tributary", "airflow"])
def test_everything_is_as_it_was(drill: Drill, database: str) -> None:
    was, is_now = drill.was[database], fingerprint(drill.target, database)
    assert {name for name in was.keys() | is_now.keys() if was.get(name) != is_now.get(name)} == set()


def test_there_was_something_to_lose(drill: Drill) -> None:
    filled = {name for tables in drill.was.values() for name, rows in tables.items() if "." in name and rows[0]}
    assert filled >= {
        *("raw.shopify_orders", "marts.fct_daily_metrics", "ops.secrets"),
        *("audit.erasures", "audit.backfill_events", "ops.erased_identities", "ops.incidents", "ops.vendor_tokens"),
        *("public.connection", "public.slot_pool", "public.dag_run", "public.alembic_version"),
    }


def test_the_commands_say_what_the_runbook_expects(drill: Drill) -> None:
    assert "Backed up to" in drill.said["backup"]
    assert drill.said["backup"].count("is whole") == 2
    errors = re.findall(r"^ERROR.*", drill.said["restore"], re.MULTILINE)
    assert errors == ['ERROR:  role "postgres" already exists']
    assert "Restored" in drill.said["restore"]
    figures = said(drill.run(drill.target, WHERE, COMPARE))
    assert "1234.56" in figures
    assert drill.said["backup"].endswith(figures)


def test_a_damaged_backup_is_noticed(drill: Drill) -> None:
    dump = drill.backup / "tributary.dump"
    whole = dump.read_bytes()
    dump.write_bytes(whole[: len(whole) // 2])
    try:
        assert drill.run(drill.target, WHERE, VERIFY, BACKUP=str(drill.backup)).stdout.count("is whole") == 1
    finally:
        dump.write_bytes(whole)


def test_a_backup_holds_no_password_and_is_readable_by_its_owner_alone(drill: Drill) -> None:
    assert drill.backup.stat().st_mode & 0o777 == 0o700
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in drill.backup.iterdir()} == dict.fromkeys(
        ("roles.sql", "airflow.dump", "tributary.dump"), "0o600"
    )
    assert "PASSWORD" not in (drill.backup / "roles.sql").read_text()


def test_a_second_restore_is_refused_and_changes_nothing(drill: Drill) -> None:
    before = fingerprint(drill.target, "tributary")
    again = drill.run(drill.target, WHERE, RESTORE, BACKUP=str(drill.backup))
    assert again.returncode != 0
    assert 'database "airflow" already exists' in again.stdout
    assert "Restored" not in again.stdout
    assert fingerprint(drill.target, "tributary") == before


def test_a_merchants_reader_sees_its_own_rows(drill: Drill) -> None:
    with drill.connect() as conn:
        conn.execute("set role accountant")
        assert conn.execute("select merchant_id, revenue::text from marts.fct_daily_metrics").fetchall() == [
            ("aurora", "1234.56")
        ]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select * from raw.shopify_orders")


@pytest.mark.parametrize("table", ["audit.erasures", "audit.backfill_events"])
@pytest.mark.parametrize(
    "change",
    ["update {} set reason = ''", "delete from {}", "truncate {}", "drop table {}", "set role tributary_audit"],
)
def test_the_audit_cannot_be_changed(drill: Drill, table: str, change: str) -> None:
    with psycopg.connect(drill.env["WAREHOUSE_URL"]) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(change.format(table))  # type: ignore[call-overload]


def test_numbers_go_on(drill: Drill) -> None:
    with psycopg.connect(drill.env["WAREHOUSE_URL"]) as conn:
        conn.execute("update ops.incidents set status = 'resolved'")
        happen(conn)
        assert conn.execute(
            "select max(incident_id), max(event_id) from ops.incidents, audit.backfill_events"
        ).fetchone() == (2, 2)
        conn.rollback()


def test_people_are_known_and_masked_as_before(drill: Drill) -> None:
    with psycopg.connect(drill.env["WAREHOUSE_URL"]) as conn:
        assert conn.execute(
            "select count(*) from ops.erased_identities "
            "where identity_digest = ops.customer_key('aurora', 'email:ann@example.com')"
        ).fetchone() == (1,)
        rows = conn.execute("select payload::text from raw.shopify_orders where merchant_id = 'aurora'").fetchall()
    assert "ann@example.com" not in str(rows)
    assert "bob@example.com" in str(rows)


def test_the_fernet_key_opens_what_it_closed_and_no_other_does(drill: Drill) -> None:
    with drill.connect("airflow") as conn:
        tokens = dict(conn.execute("select conn_id, password from connection where is_encrypted").fetchall())
    with drill.connect() as conn:
        [(pair,)] = conn.execute("select pair from ops.vendor_tokens").fetchall()
    assert Fernet(drill.key).decrypt(tokens["shopify_aurora"]).decode() == drill.env["SHOPIFY_AURORA_TOKEN"]
    assert Fernet(drill.key).decrypt(pair) == b"the vendor's pair"
    for token in (tokens["shopify_aurora"], pair):
        with pytest.raises(InvalidToken):
            Fernet(Fernet.generate_key()).decrypt(token)


def test_airflow_takes_the_restored_database(drill: Drill) -> None:
    assert airflow(drill.env, READ).splitlines()[-1] == drill.env["SHOPIFY_AURORA_TOKEN"]
