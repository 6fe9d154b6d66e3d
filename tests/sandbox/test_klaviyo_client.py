"""Klaviyo's own client reads every endpoint of the sandbox, pages through it, and understands what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openapi_client
import pytest
from klaviyo_api import KlaviyoAPI
from klaviyo_api.filter_builder import FilterBuilder

from sandbox.clock import parse_instant
from tests.sandbox.klaviyo_reader import KEY, PLACED_ORDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sandbox.conftest import Client


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> Iterator[Client]:
    sandbox: Client = request.getfixturevalue("sandbox")
    for group in ("accounts", "campaigns", "metrics", "flows", "event", "aggregates", "reports"):
        sandbox.admin("POST", f"/klaviyo/limits/{group}", {"burst": 1000, "steady": 1000, "daily": 1000})
    yield sandbox
    sandbox.admin("DELETE", "/klaviyo/limits")


@pytest.fixture
def klaviyo(world: Client) -> KlaviyoAPI:
    return KlaviyoAPI(KEY, max_retries=1, test_host=f"{world.url}/klaviyo")


def every(read: Callable[..., Any], **arguments: Any) -> list[Any]:
    """All resources, page by page, as the client's documentation follows links."""
    found, cursor = [], None
    while True:
        page = read(page_cursor=cursor, **arguments) if cursor else read(**arguments)
        found += page.data
        if not page.links.next:
            return found
        cursor = page.links.next.split("page%5Bcursor%5D=")[1].split("&")[0]


def test_it_reads_every_endpoint(klaviyo: KlaviyoAPI) -> None:
    assert klaviyo.Accounts.get_accounts().data[0].attributes.timezone == "America/New_York"
    assert PLACED_ORDER in {metric.id for metric in every(klaviyo.Metrics.get_metrics)}
    email = FilterBuilder()
    email.equals("messages.channel", "email")
    campaigns = every(klaviyo.Campaigns.get_campaigns, filter=email.build(), page_size=3, include=["campaign-messages"])
    assert len(campaigns) == 10
    assert klaviyo.Campaigns.get_campaign(campaigns[0].id).data.attributes.name == campaigns[0].attributes.name
    flows = every(klaviyo.Flows.get_flows, page_size=2)
    assert klaviyo.Flows.get_flow(flows[2].id).data.attributes.name == flows[2].attributes.name
    profiles = every(klaviyo.Profiles.get_profiles, page_size=100, additional_fields_profile=["subscriptions"])
    assert klaviyo.Profiles.get_profile(profiles[0].id).data.attributes.email == profiles[0].attributes.email


def test_it_reads_events_with_its_own_filters(klaviyo: KlaviyoAPI, world: Client) -> None:
    truth = [one for one in world.admin("GET", "/klaviyo/events") if one["metric"] == "Placed Order"]
    wanted = FilterBuilder()
    wanted.equals("metric_id", PLACED_ORDER)
    wanted.greater_or_equal("datetime", parse_instant("2026-11-01T00:00:00Z").replace(tzinfo=None))
    events = every(klaviyo.Events.get_events, filter=wanted.build(), page_size=100, include=["metric", "profile"])
    shown = {
        one["id"]
        for one in truth
        if one["datetime"] >= "2026-11-01T00:00:00Z" and one["visible_at"] <= "2026-11-15T12:00:00Z"
    }
    assert {event.id for event in events} == shown
    one = klaviyo.Events.get_event(events[0].id, fields_event=["event_properties", "datetime"])
    assert set(one["data"]["attributes"]) == {"event_properties", "datetime"}


def test_it_queries_reports(klaviyo: KlaviyoAPI) -> None:
    attributes = {
        "statistics": ["recipients", "conversion_value"],
        "timeframe": {"start": "2026-10-26T00:00:00", "end": "2026-11-15T00:00:00"},
        "conversion_metric_id": PLACED_ORDER,
    }

    def of(query: Callable[..., Any], kind: str, **more: Any) -> Any:
        return query({"data": {"type": kind, "attributes": attributes | more}}).data.attributes

    reporting = klaviyo.Reporting
    assert of(reporting.query_campaign_values, "campaign-values-report").results[0].statistics["recipients"] > 0
    assert of(reporting.query_flow_values, "flow-values-report").results[0].statistics["recipients"] > 0
    series = of(reporting.query_flow_series, "flow-series-report", interval="daily")
    assert len(series.date_times) == len(series.results[0].statistics["recipients"]) == 20
    asked = {
        "metric_id": PLACED_ORDER,
        "measurements": ["count"],
        "filter": ["greater-or-equal(datetime,2026-11-01T00:00:00)", "less-than(datetime,2026-11-04T00:00:00)"],
    }
    body = {"data": {"type": "metric-aggregate", "attributes": asked}}
    assert len(klaviyo.Metrics.query_metric_aggregates(body).data.attributes.data[0].measurements["count"]) == 3


def test_it_understands_refusals(klaviyo: KlaviyoAPI, world: Client) -> None:
    with pytest.raises(openapi_client.ApiException) as refused:
        klaviyo.Campaigns.get_campaigns(filter="equals(archived,true)")
    assert (refused.value.status, "channel filter" in refused.value.body) == (400, True)
    # With a Retry-After the client would wait and ask again.
    world.admin("POST", "/klaviyo/limits/flows/exhaust", {"window": "steady", "retry_after": False})
    with pytest.raises(openapi_client.ApiException) as refused:
        klaviyo.Flows.get_flows()
    assert refused.value.status == 429
    with pytest.raises(openapi_client.ApiException) as refused:
        KlaviyoAPI("pk_other", max_retries=1, test_host=f"{world.url}/klaviyo").Metrics.get_metrics()
    assert refused.value.status == 401
