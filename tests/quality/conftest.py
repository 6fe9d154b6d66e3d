"""What tests of incidents share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.quality.runs import World

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg


@pytest.fixture
def world(connect: Callable[[], psycopg.Connection]) -> World:
    conn = connect()
    conn.autocommit = True
    return World(conn)
