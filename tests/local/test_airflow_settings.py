"""airflow_settings.yaml: what it holds, what it asks of the environment, and that loading it again changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from tributary.local.environment import prepare, process_env
from tributary.local.settings import SETTINGS, SettingsError, connection_arguments, read_settings
from tributary.paths import MERCHANTS, ROOT
from tributary.warehouse.settings.merchants import load_merchants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tributary.local.environment import Installation

# Only the tables that the loader writes to: Airflow's whole migration takes long and is Airflow's to test.
LOAD_TWICE = """
import json, sys
from airflow.models import Connection, Pool, Variable
from airflow.settings import engine
from airflow.utils.session import create_session
from pathlib import Path
from sqlalchemy import select
from tributary.local.settings import load
from airflow.models.team import Team
Connection.metadata.create_all(engine, tables=[model.__table__ for model in (Team, Connection, Pool, Variable)])
path = Path(sys.argv[1])
load(path)
with create_session() as session:
    session.scalar(select(Connection).where(Connection.conn_id == "slack")).password = "changed by hand"
    session.add(Connection(conn_id="mine", conn_type="http"))
load(path)
with create_session() as session:
    print(json.dumps({
        "connections": {c.conn_id: [c.conn_type, c.host, c.port, c.login, c.password, c.schema, c.extra]
            for c in session.scalars(select(Connection))},
        "pools": {p.pool: p.slots for p in session.scalars(select(Pool))},
        "variables": {v.key: v.val for v in session.scalars(select(Variable))},
    }))
"""


@pytest.fixture
def metadata_url(postgres_server_url: str) -> Iterator[str]:
    """An empty database for Airflow's tables."""
    with psycopg.connect(postgres_server_url, autocommit=True) as conn:
        conn.execute("create database settings_test")
        yield (
            postgres_server_url.replace("postgresql://", "postgresql+psycopg2://").rpartition("/")[0] + "/settings_test"
        )
        conn.execute("drop database settings_test with (force)")


def test_loading_twice_restores_the_file_and_leaves_the_rest(
    installation: Installation, metadata_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "airflow_settings.yaml"
    file.write_text(
        SETTINGS.read_text().replace("variables: []", "variables: [{variable_name: v, variable_value: '1'}]")
    )
    env = prepare(installation) | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url}
    result = subprocess.run(
        [sys.executable, "-c", LOAD_TWICE, file],
        env=process_env(env),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    loaded = json.loads(result.stdout.splitlines()[-1])
    assert loaded["connections"].keys() == {
        "fx",
        "ga4_aurora",
        "google_ads_aurora",
        "google_ads_nordlicht",
        "klaviyo_aurora",
        "meta_ads_aurora",
        "meta_ads_nordlicht",
        "mine",
        "pagerduty",
        "shopify_aurora",
        "shopify_nordlicht",
        "slack",
        "smtp",
        "tiktok_ads_aurora",
        "tiktok_organic_aurora",
        "tiktok_shop_aurora",
        "warehouse",
    }
    assert loaded["connections"]["warehouse"] == [
        *("postgres", env["WAREHOUSE_HOST"], int(env["WAREHOUSE_PORT"])),
        *(env["WAREHOUSE_USER"], env["WAREHOUSE_PASSWORD"], "tributary", None),
    ]
    assert loaded["connections"]["slack"][4] == env["SLACK_TOKEN"]
    assert json.loads(loaded["connections"]["slack"][6]) == {"base_url": env["SLACK_BASE_URL"]}
    assert loaded["pools"] == {
        "fx": 1,
        "ga4": 2,
        "google_ads": 2,
        "klaviyo": 2,
        "meta_ads": 2,
        "shopify": 4,
        "tiktok_ads": 2,
        "tiktok_organic": 1,
        "tiktok_shop": 2,
    }
    assert loaded["variables"] == {"v": "1"}


def test_a_missing_variable_is_named_with_its_place(installation: Installation) -> None:
    env = prepare(installation)
    del env["SHOPIFY_AURORA_TOKEN"]
    with pytest.raises(
        SettingsError, match=r"conn_id shopify_aurora, conn_password: .* SHOPIFY_AURORA_TOKEN is not set"
    ):
        read_settings(SETTINGS, env)


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(SettingsError, match="Connection shop: unknown field conn_pasword"):
        connection_arguments({"conn_id": "shop", "conn_type": "shopify", "conn_pasword": "x"})


def test_no_secret_is_written_in_the_file(installation: Installation) -> None:
    referring = read_settings(SETTINGS, dict.fromkeys(prepare(installation), "from the environment"))
    passwords = {entry["conn_password"] for entry in referring["connections"] if entry["conn_id"] != "fx"}
    assert passwords == {"from the environment"}


def test_every_connection_of_a_merchant_is_declared(installation: Installation) -> None:
    declared = {entry["conn_id"] for entry in read_settings(SETTINGS, prepare(installation))["connections"]}
    wanted = {connection for merchant in load_merchants(MERCHANTS) for connection in merchant.channels.values()}
    assert wanted
    assert wanted <= declared
