"""One installation for a drill, made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drills.house import STOPS, House
from tests.conftest import pytest_terminal_summary  # noqa: F401 (figures that drills measured are printed, too)
from tests.e2e.conftest import open_road
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """Figures of two merchants, and nothing that starts by itself in the middle of a drill."""
    with open_road(ROOT / ".local-drill", TRIBUTARY_FAILPOINT=",".join(STOPS)) as road:
        yield House(road)
