"""The private key of the account, and what it is allowed to read."""

from __future__ import annotations

from sandbox.klaviyo.published import ENDPOINTS, REVISION
from sandbox.klaviyo.refusals import Refused

KEY = "pk_sandbox_aurora_0123456789abcdef"
SCOPES = frozenset(endpoint.scope for endpoint in ENDPOINTS)
SCHEME = "Klaviyo-API-Key "


class Access:
    """One key, that may be revoked or lose scopes."""

    def __init__(self) -> None:
        self.revoked = False
        self.scopes = SCOPES

    def check(self, authorization: str, scope: str) -> None:
        if not authorization:
            raise Refused(401, "Missing or invalid private key.")
        if authorization != SCHEME + KEY or self.revoked:
            raise Refused(401, "Missing or invalid private key.", code="authentication_failed")
        if scope not in self.scopes:
            raise Refused(403, f"This API key is missing the scope {scope}.")


def check_revision(revision: str | None) -> None:
    if revision is None:
        raise Refused(400, "The header 'revision' is required.", parameter="revision", code="missing_revision")
    if revision != REVISION:
        raise Refused(400, f"'{revision}' is no revision of the API; the sandbox has {REVISION}.", parameter="revision")
