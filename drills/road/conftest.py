"""One installation for all stories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import open_road
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Road


@pytest.fixture(scope="package")
def road() -> Iterator[Road]:
    """Everything has come in and been published once."""
    with open_road(ROOT / ".local-drill-road") as running:
        yield running
