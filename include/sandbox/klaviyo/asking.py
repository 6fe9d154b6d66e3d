"""What a request asks for, checked against what is published of its endpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.klaviyo.access import check_revision
from sandbox.klaviyo.filters import query_filter
from sandbox.klaviyo.refusals import CONTENT_TYPE, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from sandbox.klaviyo.filters import Condition
    from sandbox.klaviyo.published import Endpoint


@dataclass(frozen=True, slots=True)
class Asking:
    """A request whose header, parameters and body are as published."""

    endpoint: Endpoint
    base: str
    """The API's own address, as the client called it."""
    path: str
    query: Mapping[str, str]
    id: str
    attributes: dict[str, Any]
    """What the body asks for, of an endpoint that takes one."""

    @classmethod
    async def of(cls, request: Request, endpoint: Endpoint, prefix: str) -> Asking:
        check_revision(request.headers.get("revision"))
        query = dict(request.query_params)
        for name, text in query.items():
            if name not in endpoint.parameters:
                raise Refused(400, f"'{name}' is not a parameter of {endpoint.path}.", parameter=name)
            schema = endpoint.parameters[name]
            allowed = schema.get("items", {}).get("enum")
            if allowed and (wrong := [one for one in text.split(",") if one not in allowed]):
                raise Refused(400, f"{wrong} are not valid in {name}.", parameter=name)
        return cls(
            endpoint,
            str(request.base_url).rstrip("/") + prefix,
            request.url.path.removeprefix(prefix),
            query,
            request.path_params.get("id", ""),
            _attributes(request, await request.body(), endpoint) if endpoint.method == "POST" else {},
        )

    def conditions(self) -> list[Condition]:
        return query_filter(self.query["filter"], self.endpoint.filters) if "filter" in self.query else []

    def includes(self, name: str) -> bool:
        return name in self.query.get("include", "").split(",")

    def sparse(self, resource: dict[str, Any]) -> dict[str, Any]:
        """The resource with no other attributes than `fields[...]` names, if it names any."""
        fields = self.query.get(f"fields[{resource['type']}]")
        if fields is None:
            return resource
        named = {field.split(".")[0] for field in fields.split(",")}
        kept = {name: value for name, value in resource["attributes"].items() if name in named}
        return {**resource, "attributes": kept}


def _attributes(request: Request, raw: bytes, endpoint: Endpoint) -> dict[str, Any]:
    content_type = request.headers.get("content-type", "").split(";")[0].strip()
    if content_type != CONTENT_TYPE:
        raise Refused(415, f"Unsupported media type '{content_type}'; send {CONTENT_TYPE}.")
    try:
        data = json.loads(raw)["data"]
        kind, attributes = data["type"], data["attributes"]
        if not isinstance(attributes, dict):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise Refused(400, "The body must be {'data': {'type', 'attributes'}}.", pointer="/data") from None
    if kind != endpoint.resource:
        raise Refused(400, f"'{kind}' is not the type {endpoint.resource}.", pointer="/data/type")
    schema = endpoint.asked
    for name in schema["required"]:
        if name not in attributes:
            raise Refused(400, f"'{name}' is a required field.", pointer=f"/data/attributes/{name}")
    for name in attributes:
        if name not in schema["properties"]:
            raise Refused(400, f"'{name}' is not a field of {kind}.", pointer=f"/data/attributes/{name}")
    return attributes
