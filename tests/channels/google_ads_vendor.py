"""A vendor that speaks Google Ads' gRPC and says what a test writes down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
from google.ads.googleads.v26.errors.types.errors import GoogleAdsFailure
from google.ads.googleads.v26.services.types.google_ads_service import SearchGoogleAdsRequest, SearchGoogleAdsResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICE = "google.ads.googleads.v26.services.GoogleAdsService"
FAILURE = "google.ads.googleads.v26.errors.googleadsfailure-bin"

Answer = SearchGoogleAdsResponse | tuple[grpc.StatusCode, str, GoogleAdsFailure | None]
"""Rows, or a refusal: status, text and what the trailing metadata hold."""


def page(query: str, *rows: dict[str, Any], next_page_token: str = "") -> SearchGoogleAdsResponse:
    """An answer to the query."""
    fields = query.removeprefix("SELECT ").split(" FROM ")[0].split(", ")
    return SearchGoogleAdsResponse(results=list(rows), field_mask={"paths": fields}, next_page_token=next_page_token)


@contextmanager
def vendor(answer: Callable[[SearchGoogleAdsRequest, dict[str, str]], Answer]) -> Iterator[str]:
    """Yields the address; `answer` is given each request and its metadata."""

    def search(message: Any, context: grpc.ServicerContext) -> Any:
        said = answer(SearchGoogleAdsRequest(message), dict(context.invocation_metadata()))
        if isinstance(said, SearchGoogleAdsResponse):
            return SearchGoogleAdsResponse.pb(said)
        status, text, failure = said
        trailing: list[tuple[str, str | bytes]] = [("request-id", "REQ-1")]
        if failure is not None:
            trailing.append((FAILURE, GoogleAdsFailure.serialize(failure)))
        context.set_trailing_metadata(tuple(trailing))
        return context.abort(status, text)

    handler = grpc.unary_unary_rpc_method_handler(
        search, SearchGoogleAdsRequest.pb().FromString, lambda message: message.SerializeToString()
    )
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Search": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()
