"""The same API over gRPC, for tests: Google's own messages, turned into the JSON objects of REST and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
from google.analytics.data_v1beta import types
from google.protobuf.json_format import MessageToDict, ParseDict

from sandbox.ga4.refusals import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

    from sandbox.ga4.service import Service

NAME = "google.analytics.data.v1beta.BetaAnalyticsData"
METHODS: dict[str, tuple[str, Any, Any]] = {
    "RunReport": ("runReport", types.RunReportRequest, types.RunReportResponse),
    "RunPivotReport": ("runPivotReport", types.RunPivotReportRequest, types.RunPivotReportResponse),
    "BatchRunReports": ("batchRunReports", types.BatchRunReportsRequest, types.BatchRunReportsResponse),
    "RunRealtimeReport": ("runRealtimeReport", types.RunRealtimeReportRequest, types.RunRealtimeReportResponse),
    "CheckCompatibility": ("checkCompatibility", types.CheckCompatibilityRequest, types.CheckCompatibilityResponse),
    "GetMetadata": ("metadata", types.GetMetadataRequest, types.Metadata),
}
"""The method -> its name over REST, and its messages."""


@contextmanager
def serve_grpc(app: Starlette) -> Iterator[str]:
    """Yields the address of a sandbox's API without encryption, and stops it at the end."""
    # One thread, because a world is changed by reading it: time goes on.
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    handlers = {name: _handler(app.state.ga4, *method) for name, method in METHODS.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()


def _handler(service: Service, method: str, asked: Any, answered: Any) -> grpc.RpcMethodHandler:
    def answer(message: Any, context: grpc.ServicerContext) -> Any:
        authorization = dict(context.invocation_metadata()).get("authorization")
        try:
            with service.quota.request():
                body = MessageToDict(message)
                told = service.answer(method, _property(body, method), body, authorization)
        except Refused as refused:
            context.abort(grpc.StatusCode[refused.status], refused.message)
        return ParseDict(told, answered.pb()())

    return grpc.unary_unary_rpc_method_handler(
        answer, asked.pb().FromString, lambda message: message.SerializeToString()
    )


def _property(body: dict[str, Any], method: str) -> str:
    """The property's number, which REST has in its path."""
    named = str(body.pop("name", "") if method == "metadata" else body.pop("property", ""))
    kind, _, rest = named.partition("/")
    if kind != "properties":
        raise invalid(f"Invalid property: {named}. It is named like properties/1234.")
    return rest.removesuffix("/metadata")
