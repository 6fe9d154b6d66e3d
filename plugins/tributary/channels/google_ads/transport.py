"""Google's own client over a channel of ours."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
from google.ads.googleads.v26.services.services.google_ads_service import GoogleAdsServiceClient
from google.ads.googleads.v26.services.services.google_ads_service.transports import GoogleAdsServiceGrpcTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tributary.channels.google_ads.token import AccessToken

# At debug level Google's client writes down every row of every answer.
logging.getLogger("google.ads.googleads").setLevel(logging.INFO)


def google_client(host: str, token: AccessToken, headers: Mapping[str, str], longest: int) -> GoogleAdsServiceClient:
    """The client that talks to this host, whose address has a scheme; answers have at most so many bytes."""
    scheme, _, address = host.partition("://")
    options = [("grpc.max_receive_message_length", longest)]
    if scheme == "http":
        channel = grpc.insecure_channel(address, options)
    else:
        target = address if ":" in address else f"{address}:443"
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
    signed = grpc.intercept_channel(channel, _Signing(token, headers))
    return GoogleAdsServiceClient(transport=GoogleAdsServiceGrpcTransport(channel=signed))


class _Call(NamedTuple):
    """What gRPC wants to know of a call; its own class for that cannot be made anew."""

    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Signing(grpc.UnaryUnaryClientInterceptor):
    """Sends what proves who asks below the client's own logging, and a new token once when one is refused."""

    def __init__(self, token: AccessToken, headers: Mapping[str, str]) -> None:
        self._token = token
        self._headers = headers

    def intercept_unary_unary(self, continuation: Callable[[Any, Any], Any], details: Any, request: Any) -> Any:
        answer = continuation(self._signed(details), request)
        if answer.code() is grpc.StatusCode.UNAUTHENTICATED:
            self._token.renew()
            answer = continuation(self._signed(details), request)
        return answer

    def _signed(self, details: Any) -> _Call:
        proof = [("authorization", f"Bearer {self._token.value()}"), *self._headers.items()]
        return _Call(
            details.method,
            details.timeout,
            [*(details.metadata or ()), *proof],
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )
