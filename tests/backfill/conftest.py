"""What the proofs of backfills share; made once, and only for whoever asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.backfill.kill_estate import Estate
    from tests.backfill.states import States


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """A server of its own, with warehouses in which a backfill has come to each of its steps."""
    from tests.backfill.kill_estate import open_estate

    with open_estate(tmp_path_factory.mktemp("estate")) as estate:
        yield estate


@pytest.fixture(scope="module")
def states(
    postgres_server_url: str, migrated_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[States]:
    """Warehouses in which a backfill has come to a step, each test's its own."""
    from tests.backfill.states import open_states

    with open_states(postgres_server_url, migrated_database, tmp_path_factory.mktemp("states")) as states:
        yield states
