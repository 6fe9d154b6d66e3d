"""How Klaviyo refuses: an HTTP status and `errors`, each of which may name what is wrong in the request."""

from __future__ import annotations

import uuid

from starlette.responses import Response

from sandbox.json_paths import encoded

CONTENT_TYPE = "application/vnd.api+json"
TITLES = {
    400: ("invalid", "Invalid input."),
    401: ("not_authenticated", "Authentication credentials were not provided."),
    403: ("permission_denied", "You do not have permission to perform this action."),
    404: ("not_found", "Not found."),
    405: ("method_not_allowed", "Method not allowed."),
    415: ("unsupported_media_type", "Unsupported media type."),
    429: ("throttled", "Request was throttled."),
}


class Refused(Exception):  # noqa: N818
    """An answer other than the one asked for; `parameter` or `pointer` say what is wrong."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        parameter: str | None = None,
        pointer: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.source = {
            name: text for name, text in (("parameter", parameter), ("pointer", pointer)) if text is not None
        }
        self.code = code or TITLES[status][0]
        self.headers = headers or {}

    def response(self) -> Response:
        error = {
            "id": str(uuid.uuid4()),
            "code": self.code,
            "title": TITLES[self.status][1],
            "detail": self.detail,
            "source": self.source,
        }
        return Response(encoded({"errors": [error]}), self.status, self.headers, CONTENT_TYPE)
