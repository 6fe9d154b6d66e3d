"""How Google refuses: a status with its HTTP code, a message, and sometimes details."""

from __future__ import annotations

from typing import Any

HTTP_CODES = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
}


class Refused(Exception):  # noqa: N818 (it is an answer, not an error)
    """A request that is not answered."""

    def __init__(self, status: str, message: str, reason: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason
        self.retry_after = retry_after

    @property
    def code(self) -> int:
        return HTTP_CODES[self.status]

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        if self.reason is not None:
            info = "type.googleapis.com/google.rpc.ErrorInfo"
            error["details"] = [{"@type": info, "reason": self.reason, "domain": "googleapis.com"}]
        return {"error": error}


def invalid(message: str) -> Refused:
    return Refused("INVALID_ARGUMENT", message)
