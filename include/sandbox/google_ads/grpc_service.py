"""The same API over gRPC: Google's own messages, turned into the JSON objects of REST and back."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import grpc
from google.ads.googleads.v26.errors.types import GoogleAdsFailure
from google.ads.googleads.v26.services import types
from google.protobuf.json_format import MessageToDict, ParseDict

from sandbox.google_ads.refusals import VERSION, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sandbox.google_ads.service import Service

PACKAGE = f"google.ads.googleads.{VERSION}"
FAILURE = f"{PACKAGE}.errors.googleadsfailure-bin"


@asynccontextmanager
async def serving(service: Service, port: int, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Yields the address of the API without encryption, in the event loop of who calls: a world has one thread."""

    def accessible(asked: dict[str, Any], headers: dict[str, str], request_id: str) -> list[dict[str, Any]]:
        return [service.accessible(headers)]

    def search(asked: dict[str, Any], headers: dict[str, str], request_id: str) -> list[dict[str, Any]]:
        return [service.search(headers, asked.pop("customerId", ""), asked)]

    def stream(asked: dict[str, Any], headers: dict[str, str], request_id: str) -> list[dict[str, Any]]:
        return service.stream(headers, asked.pop("customerId", ""), asked, request_id)

    def unary(ask: Callable[..., list[dict[str, Any]]], asked: Any, answered: Any) -> grpc.RpcMethodHandler:
        async def handle(message: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            [answer] = [one async for one in _answers(service, ask, answered, message, context)]
            return answer

        return grpc.unary_unary_rpc_method_handler(handle, asked.pb().FromString, _serialized)

    async def streamed(message: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        async for answer in _answers(service, stream, types.SearchGoogleAdsStreamResponse, message, context):
            yield answer

    methods = {
        "Search": unary(search, types.SearchGoogleAdsRequest, types.SearchGoogleAdsResponse),
        "SearchStream": grpc.unary_stream_rpc_method_handler(
            streamed, types.SearchGoogleAdsStreamRequest.pb().FromString, _serialized
        ),
    }
    listing = unary(accessible, types.ListAccessibleCustomersRequest, types.ListAccessibleCustomersResponse)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(f"{PACKAGE}.services.GoogleAdsService", methods),
            grpc.method_handlers_generic_handler(
                f"{PACKAGE}.services.CustomerService", {"ListAccessibleCustomers": listing}
            ),
        )
    )
    bound = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    try:
        yield f"{host}:{bound}"
    finally:
        await server.stop(grace=None)


async def _answers(
    service: Service,
    ask: Callable[..., list[dict[str, Any]]],
    answered: Any,
    message: Any,
    context: grpc.aio.ServicerContext[Any, Any],
) -> AsyncIterator[Any]:
    """What the service says, as messages; how it refuses stands in the trailing metadata."""
    request_id = secrets.token_urlsafe(16)
    trailing: list[tuple[str, str | bytes]] = [("request-id", request_id)]
    await context.send_initial_metadata((("date", format_datetime(service.now(), usegmt=True)),))
    try:
        headers = {str(name): str(value) for name, value in context.invocation_metadata() or ()}
        told = ask(MessageToDict(message), headers, request_id)
    except Refused as refused:
        if failure := refused.failure(request_id):
            trailing.append((FAILURE, _serialized(ParseDict(failure, GoogleAdsFailure.pb()()))))
        await context.abort(grpc.StatusCode[refused.status], refused.message, tuple(trailing))
    context.set_trailing_metadata(tuple(trailing))
    for answer in told:
        yield ParseDict(answer, answered.pb()())


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())
