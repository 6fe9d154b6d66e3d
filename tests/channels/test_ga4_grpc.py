"""Over gRPC the same comes of it as over REST."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from sandbox.app import create_app
from sandbox.ga4.grpc_service import serve_grpc
from sandbox.serve import serve
from sandbox.world import Settings as World
from tests.channels.ga4_road import STREAMS, Road, trusted_key
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tributary.channels.ga4.diagnosis import diagnose
from tributary.http import AuthError, QuotaSpent, VendorUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

GRPC = {"transport": "grpc"}


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Sandbox, str]]:
    """One sandbox, and its two addresses."""
    app = create_app(World(first_day=FIRST_DAY, frozen_at=NOW, google_keyfile=trusted_key()))
    with serve(app) as url, serve_grpc(app) as address:
        yield Sandbox(url), f"http://{address}"


@pytest.fixture
def road(both: tuple[Sandbox, str], shared_warehouse: str, request: pytest.FixtureRequest) -> Iterator[Road]:
    made = Road(request.node.name, both[0], lambda: psycopg.connect(shared_warehouse))
    before = made.quota()
    yield made
    for api in made.made:
        api.close()
    made.quota(hour=before["hour"])


@pytest.mark.parametrize("stream", STREAMS)
def test_both_transports_bring_the_same_records(stream: str, road: Road, both: tuple[Sandbox, str]) -> None:
    over_grpc = road.sync(stream, road.api(host=both[1], page_size=30, **GRPC))
    over_rest = road.sync(stream, merchant="over REST")
    assert road.raw(stream) == road.raw(stream, merchant="over REST")
    assert over_grpc.counts == over_rest.counts
    assert over_grpc.position == over_rest.position == NOW


def test_a_token_that_expired_is_renewed(road: Road, both: tuple[Sandbox, str]) -> None:
    api = road.api(host=both[1], **GRPC)
    api.now()
    road.sandbox.admin("/ga4/tokens/expire")
    road.sync("ad_cost", api)
    assert road.held("ad_cost") == road.truth("ad_cost")


def test_refusals_say_the_same(road: Road, both: tuple[Sandbox, str]) -> None:
    with pytest.raises(AuthError, match=r"PERMISSION_DENIED.*tributary@sandbox.iam.example the role Viewer"):
        road.sync("days", road.api(host=both[1], property_id="1", **GRPC))
    refused = road.quota(hour=0)["refused"]
    for _ in range(2):
        with pytest.raises(QuotaSpent, match="2026-11-20 13:00:00 UTC"):
            road.sync("days", road.api(host=both[1], **GRPC))
    assert road.quota()["refused"] == refused + 1


def test_a_host_that_does_not_answer(road: Road) -> None:
    with pytest.raises(VendorUnavailable, match="UNAVAILABLE"):
        road.sync("days", road.api(host="http://127.0.0.1:9", **GRPC))


def test_the_connection_can_be_tried(road: Road, both: tuple[Sandbox, str]) -> None:
    works, message = diagnose(road.api(host=both[1], **GRPC))
    assert (works, "America/New_York" in message) == (True, True)
