"""How Meta refuses: an HTTP status and one `error` object, whose code and subcode say what is the matter."""

from __future__ import annotations

from uuid import uuid4

from starlette.responses import JSONResponse, Response

FIELDS_URL = "https://developers.facebook.com/docs/marketing-api/reference/ads-insights/"


class Refused(Exception):  # noqa: N818
    """An answer other than the one asked for."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int = 400,
        subcode: int | None = None,
        kind: str = "OAuthException",
        is_transient: bool | None = None,
        title: str | None = None,
        advice: str | None = None,
    ) -> None:
        """`title` and `advice` are what an end user is to be shown."""
        super().__init__(message)
        self.status = status
        told = {
            "message": message,
            "type": kind,
            "code": code,
            "error_subcode": subcode,
            "is_transient": is_transient,
            "error_user_title": title,
            "error_user_msg": advice,
        }
        self.error = {name: value for name, value in told.items() if value is not None}

    def response(self, headers: dict[str, str]) -> Response:
        error = self.error | {"fbtrace_id": "A" + uuid4().hex[:22]}
        challenge = f'OAuth "Facebook Platform" "invalid_request" "{self.error["message"]}"'
        return JSONResponse({"error": error}, self.status, headers | {"WWW-Authenticate": challenge})


def invalid(message: str) -> Refused:
    """A parameter is not as it has to be."""
    return Refused(100, f"(#100) {message}")


def unsupported(number: str) -> Refused:
    """An object that is not there, or that the token may not see; Meta does not say which."""
    message = (
        f"Unsupported get request. Object with ID '{number}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api"
    )
    return Refused(100, message, subcode=33, kind="GraphMethodException")


def too_much_data() -> Refused:
    return Refused(
        100,
        "Invalid parameter",
        subcode=1487534,
        is_transient=False,
        title="Too Many Rows",
        advice="Please reduce the amount of data you're asking for, then retry your request.",
    )


def timed_out(code: int) -> Refused:
    """A report that took too long: Meta tells it as one of two codes."""
    title, advice = "Request timed out", "Try a smaller date range, fetch less data, or use async jobs."
    if code == 2:
        message = "Service temporarily unavailable"
        return Refused(
            2, message, status=500, subcode=1504038, kind="FacebookApiException", is_transient=True, title=title,
            advice=advice,
        )  # fmt: skip
    return Refused(100, "Invalid parameter", subcode=1504018, is_transient=False, title=title, advice=advice)
