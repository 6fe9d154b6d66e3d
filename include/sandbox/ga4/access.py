"""Who may read: a signed assertion of the service account buys an access token that is good for an hour.

Signed for the API itself, the assertion is a token of its own, as Google's clients use it unless told otherwise.
"""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.ga4.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.world import World

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = {
    "https://www.googleapis.com/auth/analytics.readonly",
    "https://www.googleapis.com/auth/analytics",
}
TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"  # noqa: S105 (a URL, which Google's library always signs)
API_AUDIENCE = "https://analyticsdata.googleapis.com/"
LIFETIME = timedelta(hours=1)
SKEW = timedelta(minutes=5)
KEYFILE_VARIABLE = "GA4_AURORA_KEYFILE"


class TokenRefused(Exception):  # noqa: N818 (it is an answer, not an error)
    """The token endpoint's own way to refuse: OAuth's error code and a description."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


class Access:
    """The one service account that the sandbox trusts, and the tokens that it gave out."""

    def __init__(self, world: World, keyfile: str | None) -> None:
        self._world = world
        self._account: dict[str, str] = {}
        self.tokens: dict[str, datetime] = {}
        """Until when each access token is good."""
        if keyfile:
            try:
                told = json.loads(keyfile)
                self._account = {name: str(told[name]) for name in ("client_email", "private_key", "token_uri")}
                key = load_pem_private_key(self._account["private_key"].encode(), password=None)
                if not isinstance(key, RSAPrivateKey):
                    raise ValueError("the key is no RSA key")
            except (ValueError, KeyError, TypeError) as error:
                # Not the parser's own words, which may quote the key.
                problem = type(error).__name__
                raise ValueError(f"{KEYFILE_VARIABLE} holds no service account's key file ({problem})") from None
            self._key_id = told.get("private_key_id")
            self._key = key.public_key()

    def exchange(self, form: Mapping[str, str]) -> dict[str, Any]:
        """An access token for an assertion that the account signed."""
        if form.get("grant_type") != GRANT:
            raise TokenRefused("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
        if not self._account:
            raise TokenRefused(
                "invalid_client",
                f"The sandbox trusts no service account: set {KEYFILE_VARIABLE} of its process to the key file.",
                401,
            )
        claims = self._claims(form.get("assertion", ""))
        if claims.get("aud") not in (TOKEN_AUDIENCE, self._account["token_uri"]):
            raise TokenRefused(
                "invalid_grant", f"Invalid JWT: Failed audience check. The right audience is {TOKEN_AUDIENCE}"
            )
        if not _scopes(claims) & SCOPES:
            raise TokenRefused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        self._check_claims(claims)
        token = f"ya29.sandbox_{secrets.token_hex(24)}"
        self.tokens[token] = self._world.now() + LIFETIME
        return {"access_token": token, "expires_in": int(LIFETIME.total_seconds()), "token_type": "Bearer"}

    def check(self, authorization: str | None) -> None:
        """The bearer token of a request must be one that is good now."""
        if not authorization:
            raise Refused(
                "UNAUTHENTICATED",
                "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or"
                " other valid authentication credential.",
                "CREDENTIALS_MISSING",
            )
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token.count(".") == 2 and self._signed_itself(token):
            return
        until = self.tokens.get(token) if scheme.lower() == "bearer" else None
        if until is None or until <= self._world.now():
            raise Refused(
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other"
                " valid authentication credential.",
                "ACCESS_TOKEN_EXPIRED" if until else "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            )

    def _signed_itself(self, token: str) -> bool:
        """Whether the account signed this token itself, for this API."""
        if not self._account:
            return False
        try:
            claims = self._claims(token)
            self._check_claims(claims)
        except TokenRefused:
            return False
        return bool(_scopes(claims) & SCOPES) or claims.get("aud") == API_AUDIENCE

    def _claims(self, assertion: str) -> dict[str, Any]:
        """What the assertion says, once its signature is known to be the account's."""
        try:
            head, payload, signature = assertion.split(".")
            header, claims, signed = json.loads(_decoded(head)), json.loads(_decoded(payload)), _decoded(signature)
            if not isinstance(header, dict) or not isinstance(claims, dict):
                raise ValueError
        except ValueError:
            raise TokenRefused("invalid_grant", "Bad Request: the assertion is no JSON Web Token.") from None
        if header.get("alg") != "RS256":
            raise TokenRefused("invalid_grant", f"Invalid JWT: Unsupported signature algorithm {header.get('alg')}.")
        if header.get("kid") not in (None, self._key_id):
            raise TokenRefused("invalid_grant", "Invalid JWT Signature.")
        try:
            self._key.verify(signed, f"{head}.{payload}".encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            raise TokenRefused("invalid_grant", "Invalid JWT Signature.") from None
        return claims

    def _check_claims(self, claims: dict[str, Any]) -> None:
        if claims.get("iss") != self._account["client_email"]:
            raise TokenRefused("invalid_grant", "Invalid grant: account not found")
        if claims.get("sub", claims["iss"]) != claims["iss"]:
            raise TokenRefused("unauthorized_client", "Client is unauthorized to retrieve access tokens.", 401)
        if not any(_in_time(claims, now) for now in (datetime.now(UTC), self._world.now())):
            raise TokenRefused(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your"
                " iat and exp values in the JWT claim.",
            )


def _scopes(claims: dict[str, Any]) -> set[str]:
    return set(str(claims.get("scope", "")).split())


def _in_time(claims: dict[str, Any], now: datetime) -> bool:
    issued, expires, skew = claims.get("iat"), claims.get("exp"), SKEW.total_seconds()
    if not isinstance(issued, int) or not isinstance(expires, int):
        return False
    if not 0 < expires - issued <= LIFETIME.total_seconds():
        return False
    return issued - skew <= now.timestamp() <= expires + skew


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
