"""Google's own client for Google Ads against a sandbox, and the same requests over REST."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
from google.ads.googleads.errors import GoogleAdsException
from google.ads.googleads.interceptors import ExceptionInterceptor, MetadataInterceptor
from google.ads.googleads.v26.errors.types import GoogleAdsFailure
from google.ads.googleads.v26.services.services.customer_service import CustomerServiceClient
from google.ads.googleads.v26.services.services.customer_service.transports import CustomerServiceGrpcTransport
from google.ads.googleads.v26.services.services.google_ads_service import GoogleAdsServiceClient
from google.ads.googleads.v26.services.services.google_ads_service.transports import GoogleAdsServiceGrpcTransport
from google.api_core.exceptions import GoogleAPICallError
from google.protobuf.json_format import MessageToDict

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.sandbox.conftest import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

AURORA, MANAGER, NORDLICHT = "1110000001", "1110000009", "2220000001"
FAILURE = "google.ads.googleads.v26.errors.googleadsfailure-bin"


class Refusal(NamedTuple):
    """What is the same over REST and over gRPC."""

    status: str
    message: str
    code: str
    """Like queryError.BAD_VALUE; empty when there is only a status."""
    says: str
    details: dict[str, Any]


@dataclass
class Reader:
    """One user's way to one account."""

    client: Client
    address: str
    merchant: str = "aurora"
    customer: str = AURORA
    login: str | None = MANAGER
    developer_token: str | None = None
    token: str = field(default="")

    def __post_init__(self) -> None:
        self.token = self.token or str(self.exchange().json()["access_token"])

    def exchange(self, **changes: str | None) -> Any:
        """What the token endpoint answers to a sound request, or to one with these changes."""
        sound = {
            "grant_type": "refresh_token",
            "client_id": f"sandbox-{self.merchant}.apps.googleusercontent.example",
            "client_secret": f"GOCSPX-sandbox-{self.merchant}-0123456789",
            "refresh_token": f"1//sandbox-{self.merchant}-refresh",
        }
        form = {name: value for name, value in {**sound, **changes}.items() if value is not None}
        return self.client.session.post(f"{self.client.url}/google_ads/token", data=form, timeout=20)

    def headers(self) -> dict[str, str]:
        told = {
            "authorization": f"Bearer {self.token}",
            "login-customer-id": self.login,
            "developer-token": self.developer_token,
        }
        return {name: value for name, value in told.items() if value is not None}

    def rest(self, method: str, body: Any) -> Any:
        """The whole answer over REST."""
        url = f"{self.client.url}/v26/customers/{self.customer}/googleAds:{method}"
        return self.client.session.post(url, json=body, headers=self.headers(), timeout=20)

    def rest_rows(self, query: str) -> list[dict[str, Any]]:
        answer = self.rest("search", {"query": query})
        assert answer.status_code == 200, answer.text
        return list(answer.json().get("results", []))

    def service(self) -> GoogleAdsServiceClient:
        return GoogleAdsServiceClient(transport=GoogleAdsServiceGrpcTransport(channel=self._channel()))

    def metadata(self) -> list[tuple[str, str]]:
        """What the library's interceptor for metadata does not send without credentials."""
        told = [("authorization", f"Bearer {self.token}")]
        return told if self.developer_token is None else [*told, ("developer-token", self.developer_token)]

    def grpc_rows(self, query: str, *, streamed: bool = False) -> list[dict[str, Any]]:
        """The rows over gRPC in the JSON form of Google's messages."""
        service = self.service()
        if streamed:
            batches = service.search_stream(customer_id=self.customer, query=query, metadata=self.metadata())
            rows = [row for batch in batches for row in batch.results]
        else:
            rows = list(service.search(customer_id=self.customer, query=query, metadata=self.metadata()))
        return [MessageToDict(type(row).pb(row)) for row in rows]

    def accessible(self) -> list[str]:
        service = CustomerServiceClient(transport=CustomerServiceGrpcTransport(channel=self._channel()))
        return list(service.list_accessible_customers(metadata=self.metadata()).resource_names)

    def refused(self, query: str) -> Refusal:
        """How a query is refused, which is the same over every road."""
        told = [self._refused_rest("search", query), self._refused_rest("searchStream", query)]
        told += [self._refused_grpc(query, streamed=False), self._refused_grpc(query, streamed=True)]
        assert told == [told[0]] * 4
        return told[0]

    def _refused_rest(self, method: str, query: str) -> Refusal:
        answer = self.rest(method, {"query": query})
        assert answer.status_code >= 400, answer.text
        body = answer.json() if method == "search" else answer.json()[0]
        error = body["error"]
        assert error["code"] == answer.status_code
        if "details" not in error:
            return Refusal(error["status"], error["message"], "", "", {})
        [failure] = error["details"]
        assert failure["requestId"] == answer.headers["request-id"] != ""
        return _refusal(error["status"], error["message"], failure)

    def _refused_grpc(self, query: str, *, streamed: bool) -> Refusal:
        with pytest.raises((GoogleAdsException, GoogleAPICallError)) as caught:
            self.grpc_rows(query, streamed=streamed)
        refused: Any = caught.value
        # The library leaves RESOURCE_EXHAUSTED and INTERNAL to its callers, with the failure where gRPC has it.
        call = refused.call if isinstance(refused, GoogleAdsException) else refused.response
        trailing = dict(call.trailing_metadata())
        assert getattr(refused, "request_id", trailing["request-id"]) == trailing["request-id"] != ""
        failure = GoogleAdsFailure.pb(GoogleAdsFailure.deserialize(trailing.get(FAILURE, b"")))
        return _refusal(call.code().name, call.details(), MessageToDict(failure))

    def _channel(self) -> grpc.Channel:
        interceptors = [
            MetadataInterceptor(None, self.login, None),
            ExceptionInterceptor("v26", use_proto_plus=True),
        ]
        return grpc.intercept_channel(grpc.insecure_channel(self.address), *interceptors)


@contextmanager
def google_ads(**settings: Any) -> Iterator[Reader]:
    """A world of its own, read by aurora's user."""
    app = create_app(Settings(grpc_port=0, **settings))
    with serve(app) as url:
        yield Reader(Client(url), app.state.grpc_address)


def _refusal(status: str, message: str, failure: dict[str, Any]) -> Refusal:
    if not failure:
        return Refusal(status, message, "", "", {})
    [error] = failure["errors"]
    [(kind, name)] = error["errorCode"].items()
    return Refusal(status, message, f"{kind}.{name}", error["message"], error.get("details", {}))
