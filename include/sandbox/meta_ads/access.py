"""One access token for each merchant, as a system user of its business has it, and the secret of its app."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from sandbox.business.merchants import MERCHANTS
from sandbox.meta_ads.refusals import Refused

SCOPES = ("ads_read", "read_insights")
INVALID = {
    458: "Error validating access token: The user has not authorized application {app}.",
    460: "Error validating access token: The session has been invalidated because the user changed their password or "
    "Facebook has changed the session for security reasons.",
    463: "Error validating access token: Session has expired.",
    467: "The access token is invalid since the user has logged out.",
}
"""Why a token is good no more, by subcode."""


@dataclass(slots=True)
class Token:
    """A merchant's token, and what became of it."""

    merchant_id: str
    app_id: str
    scopes: tuple[str, ...] = SCOPES
    invalid: int | None = None
    """The subcode that says why it is good no more."""
    requires_proof: bool = False
    """Whether the app only answers requests that prove its secret."""

    @property
    def text(self) -> str:
        return f"EAA_sandbox_{self.merchant_id}_0123456789abcdef"

    @property
    def secret(self) -> str:
        return f"meta_secret_{self.merchant_id}"

    def proof(self) -> str:
        return hmac.new(self.secret.encode(), self.text.encode(), hashlib.sha256).hexdigest()


class Access:
    """The tokens that there are."""

    def __init__(self) -> None:
        numbered = enumerate(MERCHANTS, start=1)
        self.tokens = {one.merchant_id: Token(one.merchant_id, f"90{number:013d}") for number, one in numbered}

    def check(self, sent: str | None, proof: str | None) -> Token:
        """Whose request it is."""
        if not sent:
            raise Refused(104, "An access token is required to request this resource.")
        token = self.known(sent)
        if token is None:
            raise Refused(190, "Invalid OAuth access token - Cannot parse access token")
        if token.invalid is not None:
            message = INVALID[token.invalid].format(app=token.app_id)
            raise Refused(190, message, subcode=token.invalid)
        if proof is None and token.requires_proof:
            message = "API calls from the server require an appsecret_proof argument"
            raise Refused(100, message, kind="GraphMethodException")
        if proof is not None and not hmac.compare_digest(proof.encode(), token.proof().encode()):
            message = "Invalid appsecret_proof provided in the API argument"
            raise Refused(100, message, kind="GraphMethodException")
        return token

    def known(self, sent: str) -> Token | None:
        return next((token for token in self.tokens.values() if token.text == sent), None)


def check_scope(token: Token) -> None:
    """Whether the token may read advertising at all."""
    if "ads_read" not in token.scopes:
        message = (
            "(#294) Managing advertisements requires an access token with the extended permission for ads_management "
            "or ads_read"
        )
        raise Refused(294, message, status=403)
