"""A declared channel is whole: without one of its parts it would fail only when it runs, or run and not be judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.architecture.completeness import CHECKS, every_mart_has_a_contract, nothing_shared_is_a_stub
from tributary.channels import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tributary.declaration import Channel

ROOT = Path(__file__).resolve().parents[2]


def assert_nothing(missing: Iterator[str]) -> None:
    sentences = list(missing)
    assert not sentences, "\n".join(sentences)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_channel(check: Callable[[Path, Channel], Iterator[str]], channel: Channel) -> None:
    assert_nothing(check(ROOT, channel))


def test_nothing_shared_is_a_stub() -> None:
    assert_nothing(nothing_shared_is_a_stub(ROOT))


def test_every_mart_has_a_contract() -> None:
    assert_nothing(every_mart_has_a_contract(ROOT))


def test_there_is_something_to_check() -> None:
    assert CHANNELS
    assert all(channel.streams for channel in CHANNELS)
    assert [*(ROOT / "dbt" / "models" / "marts").rglob("*.sql")]
