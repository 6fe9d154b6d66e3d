"""A migrated warehouse of its own for every test, cloned from one that is migrated once."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.warehouse.shop import SHOP
from tributary.warehouse.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def postgres_server_url() -> str:
    """A server on which tests may create databases and roles."""
    return os.environ["TRIBUTARY_TEST_POSTGRES_URL"]


@contextmanager
def new_database(server_url: str, template: str = "template1") -> Iterator[str]:
    """The URL of a database that is dropped afterwards."""
    name = f"tributary_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            user, port = server.info.user, server.info.port
            password = f":{server.info.password}" if server.info.password else ""
            yield f"postgresql://{user}{password}@{server.info.host}:{port}/{name}"
        finally:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def migrated_database(postgres_server_url: str) -> Iterator[str]:
    """The name of the database that the warehouses of tests are cloned from."""
    with new_database(postgres_server_url) as url:
        migrate(url, [SHOP])
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def warehouse_url(postgres_server_url: str, migrated_database: str) -> Iterator[str]:
    """A fresh migrated warehouse with the raw tables of the tests' channel."""
    with new_database(postgres_server_url, template=migrated_database) as url:
        yield url


@pytest.fixture
def connect(warehouse_url: str) -> Callable[[], psycopg.Connection]:
    """Opens a connection to the test's warehouse."""
    return lambda: psycopg.connect(warehouse_url)


@pytest.fixture
def conn(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """A connection that commits each statement, for looking and preparing."""
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        yield connection
