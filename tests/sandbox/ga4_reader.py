"""Google's own client against a sandbox, over REST and over gRPC, and the reports that it asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import google.oauth2.credentials
import grpc
from google.analytics.data_v1beta import BetaAnalyticsDataClient, types
from google.analytics.data_v1beta.services.beta_analytics_data.transports import BetaAnalyticsDataGrpcTransport
from google.api_core.client_options import ClientOptions
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from sandbox.ga4.keyfile import exchanged_at

if TYPE_CHECKING:
    from tests.sandbox.conftest import Client

SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
PROPERTY = "properties/312345678"
SOURCE = ("sessionSource", "sessionMedium", "sessionCampaignName")
REPORTS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "sessions": (
        (*SOURCE, "landingPage"),
        {
            "sessions": "sessions",
            "engagedSessions": "engaged_sessions",
            "totalUsers": "users",
            "newUsers": "new_users",
            "keyEvents": "key_events",
            "ecommercePurchases": "orders",
            "purchaseRevenue": "revenue",
        },
    ),
    "funnel_events": (("eventName", *SOURCE), {"eventCount": "events", "totalUsers": "users"}),
    "transactions": (("transactionId", *SOURCE), {"ecommercePurchases": "orders", "purchaseRevenue": "revenue"}),
    "ad_cost": (
        SOURCE,
        {"advertiserAdCost": "cost", "advertiserAdClicks": "clicks", "advertiserAdImpressions": "impressions"},
    ),
}
"""The report of the truth -> its dimensions in order, and its metrics with the truth's words for them."""


def access_token(url: str, keyfile: str) -> str:
    """What Google's library gets for the key."""
    info = json.loads(exchanged_at(keyfile, f"{url}/google/token"))
    credentials = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])
    credentials.refresh(Request())
    return str(credentials.token)


@dataclass
class Google:
    """The official client with its token, over one of its transports."""

    client: BetaAnalyticsDataClient
    metadata: tuple[tuple[str, str], ...]

    def __getattr__(self, method: str) -> Any:
        call = getattr(self.client, method)
        return lambda request: call(request, metadata=self.metadata)

    def rows(self, asked: types.RunReportRequest) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        return [
            (tuple(one.value for one in row.dimension_values), tuple(one.value for one in row.metric_values))
            for row in self.run_report(asked).rows
        ]


def over_rest(url: str, token: str) -> Google:
    credentials = google.oauth2.credentials.Credentials(token=token)
    options = ClientOptions(api_endpoint=url)
    return Google(BetaAnalyticsDataClient(transport="rest", credentials=credentials, client_options=options), ())


def over_grpc(address: str, token: str) -> Google:
    """Without encryption gRPC attaches no credentials of its own."""
    transport = BetaAnalyticsDataGrpcTransport(channel=grpc.insecure_channel(address))
    return Google(BetaAnalyticsDataClient(transport=transport), (("authorization", f"Bearer {token}"),))


def request(day: str, dimensions: tuple[str, ...], metrics: Any, **more: Any) -> types.RunReportRequest:
    """A report of one day, or of two with `..` between them."""
    start, _, end = day.partition("..")
    return types.RunReportRequest(
        property=PROPERTY,
        dimensions=[types.Dimension(name=name) for name in dimensions],
        metrics=[types.Metric(name=name) for name in metrics],
        date_ranges=[types.DateRange(start_date=start, end_date=end or start)],
        **more,
    )


def truth(client: Client, day: str, **query: str) -> dict[str, Any]:
    asked = "&".join(f"{name}={value}" for name, value in {"day": day, **query}.items())
    told: dict[str, Any] = client.admin("GET", f"/shops/aurora/website/truth?{asked}")[day]
    return told


def plain(client: Client, token: str, method: str, body: Any, property_id: str = "312345678") -> Any:
    """A request that Google's client would not send, and its whole answer."""
    return client.session.post(
        f"{client.url}/v1beta/properties/{property_id}:{method}",
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        timeout=20,
    )
