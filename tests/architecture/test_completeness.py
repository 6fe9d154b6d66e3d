"""A declared channel is whole: without one of its parts it would fail only when it runs, or run and not be judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.architecture.completeness import OF_A_CHANNEL, OF_THE_REPOSITORY
from tributary.channels import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tributary.declaration import Channel

ROOT = Path(__file__).resolve().parents[2]


def assert_nothing(missing: Iterator[str]) -> None:
    sentences = list(missing)
    assert not sentences, "\n".join(sentences)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
@pytest.mark.parametrize("check", OF_A_CHANNEL, ids=lambda check: check.__name__)
def test_a_channel(check: Callable[[Path, Channel], Iterator[str]], channel: Channel) -> None:
    assert_nothing(check(ROOT, channel))


@pytest.mark.parametrize("check", OF_THE_REPOSITORY, ids=lambda check: check.__name__)
def test_the_repository(check: Callable[[Path, tuple[Channel, ...]], Iterator[str]]) -> None:
    assert_nothing(check(ROOT, CHANNELS))


def test_there_is_something_to_check() -> None:
    assert CHANNELS
    assert all(channel.streams for channel in CHANNELS)
    assert [*(ROOT / "dbt" / "models" / "marts").rglob("*.sql")]
