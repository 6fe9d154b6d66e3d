"""Warehouses with the raw tables of the tests' own channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import new_database
from tests.warehouse.shop import SHOP
from tributary.warehouse.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def migrated_database(postgres_server_url: str) -> Iterator[str]:
    """The name of the database that the warehouses of these tests are cloned from."""
    with new_database(postgres_server_url) as url:
        migrate(url, [SHOP])
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def conn(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """A connection that commits each statement, for looking and preparing."""
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        yield connection
