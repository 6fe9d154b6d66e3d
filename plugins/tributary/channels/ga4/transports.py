"""Google's own client over one of its two transports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import requests
from google.analytics.data_v1beta import BetaAnalyticsDataClient
from google.analytics.data_v1beta.services.beta_analytics_data.transports import (
    BetaAnalyticsDataGrpcTransport,
    BetaAnalyticsDataRestTransport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tributary.channels.ga4.clock import VendorClock
    from tributary.channels.ga4.token import Token

TRANSPORTS = ("rest", "grpc")


def google_client(transport: str, host: str, token: Token, clock: VendorClock) -> BetaAnalyticsDataClient:
    """The client that talks to this host, whose address has a scheme."""
    if transport == "rest":
        rest = BetaAnalyticsDataRestTransport(host=host, credentials=token)
        # Its own interceptors see no answer of another status than 200.
        rest._session.hooks["response"].append(_listening(clock))
        return BetaAnalyticsDataClient(transport=rest)
    scheme, _, address = host.partition("://")
    options = [("grpc.max_receive_message_length", -1)]
    if scheme == "http":
        channel = grpc.insecure_channel(address, options)
    else:
        target = address if ":" in address else f"{address}:443"
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
    signed = grpc.intercept_channel(channel, _Signing(token))
    return BetaAnalyticsDataClient(transport=BetaAnalyticsDataGrpcTransport(channel=signed))


def _listening(clock: VendorClock) -> Callable[..., None]:
    """What looks at every answer before Google's client does."""

    def listen(answer: requests.Response, **_: Any) -> None:
        clock.hear(answer.headers.get("Date"))
        if answer.status_code >= 400 and not _is_readable(answer):
            raise requests.HTTPError("A refusal in JSON that is not Google's", response=answer)

    return listen


def _is_readable(refusal: requests.Response) -> bool:
    """Whether Google's client can make an error of it; JSON that is not Google's makes it fail itself."""
    try:
        said = refusal.json()
    except ValueError:
        return True
    return isinstance(said, dict) and isinstance(said.get("error", {}), dict)


class _Call(NamedTuple):
    """What gRPC wants to know of a call; its own class for that cannot be made anew."""

    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Signing(grpc.UnaryUnaryClientInterceptor):
    """Sends the token below the client's own logging, and without encryption too, where the host is `http://`."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Callable[[Any, Any], Any], details: Any, request: Any) -> Any:
        if not self._token.valid:
            self._token.refresh()
        answer = continuation(self._signed(details), request)
        if answer.code() is grpc.StatusCode.UNAUTHENTICATED:
            self._token.refresh()
            answer = continuation(self._signed(details), request)
        return answer

    def _signed(self, details: Any) -> _Call:
        metadata = [*(details.metadata or ()), ("authorization", f"Bearer {self._token.token}")]
        return _Call(
            details.method, details.timeout, metadata, details.credentials, details.wait_for_ready, details.compression
        )
