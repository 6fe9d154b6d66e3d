"""How Google Ads refuses: a status, and a GoogleAdsFailure that names the error, in the JSON form of its message."""

from __future__ import annotations

from typing import Any

VERSION = "v26"
HTTP_CODES = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
EXPECTED = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. See"
    " https://developers.google.com/identity/sign-in/web/devconsole-project."
)
MESSAGES = {
    "INVALID_ARGUMENT": "Request contains an invalid argument.",
    "UNAUTHENTICATED": f"Request is missing required authentication credential. {EXPECTED}",
    "PERMISSION_DENIED": "The caller does not have permission",
    "NOT_FOUND": "Requested entity was not found.",
    "RESOURCE_EXHAUSTED": "Resource has been exhausted (e.g. check quota).",
    "INTERNAL": "Internal error encountered.",
    "UNIMPLEMENTED": "Operation is not implemented, or supported, or enabled.",
    "UNAVAILABLE": "The service is currently unavailable.",
    "DEADLINE_EXCEEDED": "Deadline expired before operation could complete.",
}
STATUSES = {
    "queryError": "INVALID_ARGUMENT",
    "requestError": "INVALID_ARGUMENT",
    "headerError": "INVALID_ARGUMENT",
    "authenticationError": "UNAUTHENTICATED",
    "authorizationError": "PERMISSION_DENIED",
    "quotaError": "RESOURCE_EXHAUSTED",
    "internalError": "INTERNAL",
}
"""The kind of an error -> the status that it comes with."""
OTHER_STATUSES = {
    "internalError.TRANSIENT_ERROR": "UNAVAILABLE",
    "internalError.DEADLINE_EXCEEDED": "DEADLINE_EXCEEDED",
}
SAYS = {
    "authenticationError.NOT_ADS_USER": "The Google account that generated the OAuth access tokens is not associated"
    " with any Ads accounts. Create a new account, or add the Google account to an existing Ads account.",
    "authenticationError.CUSTOMER_NOT_FOUND": "No customer found for the provided customer id.",
    "authenticationError.OAUTH_TOKEN_EXPIRED": "OAuth token in the header has expired.",
    "authenticationError.OAUTH_TOKEN_REVOKED": "OAuth token in the header has been revoked.",
    "authenticationError.OAUTH_TOKEN_INVALID": "OAuth token in the header is not valid.",
    "authenticationError.OAUTH_TOKEN_HEADER_INVALID": "OAuth token HTTP header is malformed.",
    "authorizationError.USER_PERMISSION_DENIED": "User doesn't have permission to access customer. Note: If you're"
    " accessing a client customer, the manager's customer id must be set in the 'login-customer-id' header. See"
    " https://developers.google.com/google-ads/api/docs/concepts/call-structure#cid",
    "authorizationError.CUSTOMER_NOT_ENABLED": "The customer account can't be accessed because it is not yet enabled"
    " or has been deactivated.",
    "authorizationError.INVALID_LOGIN_CUSTOMER_ID_SERVING_CUSTOMER_ID_COMBINATION": "The login customer specified does"
    " not have access to the account specified, so the request is invalid.",
    "authorizationError.DEVELOPER_TOKEN_NOT_APPROVED": "The developer token is only approved for use with test"
    " accounts. To access non-test accounts, apply for Basic or Standard access.",
    "authorizationError.CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION": "The Google Cloud project is only approved for use"
    " with test accounts. To access non-test accounts, apply for Explorer, Basic or Standard access.",
    "headerError.INVALID_LOGIN_CUSTOMER_ID": "The login customer ID could not be validated.",
    "requestError.DEVELOPER_TOKEN_PARAMETER_MISSING": "developer-token parameter is missing.",
    "requestError.PAGE_SIZE_NOT_SUPPORTED": "Setting the page size is not supported. Search Responses will have fixed"
    " page size of '10000' rows.",
    "requestError.INVALID_PAGE_TOKEN": "Invalid page token.",
    "requestError.EXPIRED_PAGE_TOKEN": "Page token has expired.",
    "queryError.REQUESTED_METRICS_FOR_MANAGER": "Metrics cannot be requested for a manager account. To retrieve"
    " metrics, issue separate requests against each client account under the manager account.",
    "quotaError.RESOURCE_EXHAUSTED": "Too many requests.",
    "quotaError.RESOURCE_TEMPORARILY_EXHAUSTED": "Too many requests in a short amount of time.",
    "internalError.INTERNAL_ERROR": "An internal error has occurred.",
    "internalError.TRANSIENT_ERROR": "A transient error has occurred. Retry the request.",
    "internalError.DEADLINE_EXCEEDED": "The request took longer than a deadline.",
}
"""Every error that says the same each time; of the others, each says what is wrong with its query."""


class Refused(Exception):  # noqa: N818 (it is an answer, not an error)
    """A request that is not answered: by a status alone, or by a code like queryError.BAD_VALUE with its details."""

    def __init__(
        self, code: str, says: str | None = None, message: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        self.kind, _, self.name = code.partition(".")
        self.status = OTHER_STATUSES.get(code) or STATUSES.get(self.kind) or self.kind
        self.message = message or MESSAGES[self.status]
        self.says = says or SAYS.get(code, "")
        self._details = details
        super().__init__(f"{code}: {self.says or self.message}")

    @property
    def http_code(self) -> int:
        return HTTP_CODES[self.status]

    def failure(self, request_id: str) -> dict[str, Any] | None:
        """The GoogleAdsFailure, when there is one."""
        if not self.name:
            return None
        error: dict[str, Any] = {"errorCode": {self.kind: self.name}, "message": self.says}
        if self._details:
            error["details"] = self._details
        return {"errors": [error], "requestId": request_id}

    def body(self, request_id: str) -> dict[str, Any]:
        """As REST tells it."""
        error: dict[str, Any] = {"code": self.http_code, "message": self.message, "status": self.status}
        if failure := self.failure(request_id):
            kind = f"type.googleapis.com/google.ads.googleads.{VERSION}.errors.GoogleAdsFailure"
            error["details"] = [{"@type": kind, **failure}]
        return {"error": error}


def query_error(name: str, says: str) -> Refused:
    return Refused(f"queryError.{name}", says)


def quota_error(name: str, seconds: int | None) -> Refused:
    """A refusal that says how long to wait, when Google knows."""
    code = f"quotaError.{name}"
    if seconds is None:
        return Refused(code)
    told = {
        "rateScope": "DEVELOPER",
        "rateName": "Number of operations for basic access",
        "retryDelay": f"{seconds}s",
    }
    return Refused(code, f"{SAYS[code]} Retry in {seconds} seconds.", details={"quotaErrorDetails": told})
