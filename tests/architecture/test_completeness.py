"""A declared stream is whole: a channel without one of these parts would fail only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tributary.channels import CHANNELS
from tributary.provider import get_provider_info
from tributary.warehouse.settings import load_merchants

if TYPE_CHECKING:
    from tributary.declaration import Channel

ROOT = Path(__file__).resolve().parents[2]
TABLES = [
    (channel.name, name)
    for channel in CHANNELS
    for stream in channel.streams
    for name in (stream.name, *stream.children)
]


@pytest.fixture(scope="module")
def settings() -> dict[str, list[dict[str, object]]]:
    loaded: dict[str, dict[str, list[dict[str, object]]]] = yaml.safe_load((ROOT / "airflow_settings.yaml").read_text())
    return loaded["airflow"]


@pytest.mark.parametrize(("channel", "table"), TABLES)
def test_every_raw_table_has_a_contract(channel: str, table: str) -> None:
    assert (ROOT / "include" / "contracts" / "raw" / f"{channel}_{table}.yml").is_file()


@pytest.mark.parametrize(("channel", "table"), TABLES)
def test_every_raw_table_has_a_staging_model(channel: str, table: str) -> None:
    assert (ROOT / "dbt" / "models" / "staging" / channel / f"stg_{channel}__{table}.sql").is_file()


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_every_channel_has_its_parts(channel: Channel, settings: dict[str, list[dict[str, object]]]) -> None:
    folder = ROOT / "plugins" / "tributary" / "channels" / channel.name
    assert (folder / "BEHAVIOR.md").is_file()
    assert (ROOT / "include" / "sandbox" / channel.name).is_dir()
    assert channel.pool in {pool["pool_name"] for pool in settings["pools"]}
    assert channel.conn_type in {kind["connection-type"] for kind in get_provider_info()["connection-types"]}


def test_every_connection_that_a_merchant_uses_is_declared(settings: dict[str, list[dict[str, object]]]) -> None:
    declared = {connection["conn_id"]: connection["conn_type"] for connection in settings["connections"]}
    kinds = {channel.name: channel.conn_type for channel in CHANNELS}
    merchants = load_merchants(ROOT / "include" / "config" / "merchants.yaml")
    assert merchants
    for merchant in merchants:
        for channel, connection in merchant.channels.items():
            assert declared.get(connection) == kinds[channel], f"{merchant.merchant_id}: {connection}"


def test_every_mart_has_a_contract_and_a_declared_grain() -> None:
    marts = sorted((ROOT / "dbt" / "models" / "marts").rglob("*.sql"))
    assert marts
    for mart in marts:
        assert (ROOT / "include" / "contracts" / "marts" / f"{mart.stem}.yml").is_file(), mart.stem
