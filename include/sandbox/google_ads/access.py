"""Who may read: a refresh token of the merchant's Google user buys access tokens that are good for an hour."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.business.merchants import MERCHANTS
from sandbox.google_ads.refusals import EXPECTED, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.world import World

SCOPE = "https://www.googleapis.com/auth/adwords"
LIFETIME = timedelta(hours=1)
INVALID = f"Request had invalid authentication credentials. {EXPECTED}"


class TokenRefused(Exception):  # noqa: N818 (it is an answer, not an error)
    """The token endpoint's own way to refuse: OAuth's error code and a description."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


@dataclass(slots=True)
class Client:
    """A merchant's OAuth client, and the user who allowed it to read."""

    merchant_id: str
    domain: str
    revoked: bool = False

    @property
    def client_id(self) -> str:
        return f"sandbox-{self.merchant_id}.apps.googleusercontent.example"

    @property
    def client_secret(self) -> str:
        return f"GOCSPX-sandbox-{self.merchant_id}-0123456789"

    @property
    def refresh_token(self) -> str:
        return f"1//sandbox-{self.merchant_id}-refresh"


class Access:
    """The clients, and the access tokens that they were given."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.clients = {one.merchant_id: Client(one.merchant_id, one.domain) for one in MERCHANTS}
        self.tokens: dict[str, tuple[Client, datetime]] = {}
        """Each access token with its client, and until when it is good."""

    def exchange(self, form: Mapping[str, str]) -> dict[str, Any]:
        """An access token for the refresh token of the client that asks."""
        if form.get("grant_type") != "refresh_token":
            raise TokenRefused("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
        if not form.get("client_id"):
            raise TokenRefused("invalid_request", "Could not determine client ID from request.")
        client = next((one for one in self.clients.values() if one.client_id == form["client_id"]), None)
        if client is None:
            raise TokenRefused("invalid_client", "The OAuth client was not found.", 401)
        if form.get("client_secret") != client.client_secret:
            raise TokenRefused("invalid_client", "The provided client secret is invalid.", 401)
        if not form.get("refresh_token"):
            raise TokenRefused("invalid_request", "Missing required parameter: refresh_token")
        if form["refresh_token"] != client.refresh_token:
            if any(one.refresh_token == form["refresh_token"] for one in self.clients.values()):
                raise TokenRefused("unauthorized_client", "Unauthorized", 401)
            raise TokenRefused("invalid_grant", "Bad Request")
        if client.revoked:
            raise TokenRefused("invalid_grant", "Token has been expired or revoked.")
        token = f"ya29.sandbox_{secrets.token_hex(24)}"
        self.tokens[token] = (client, self._world.now() + LIFETIME)
        seconds = int(LIFETIME.total_seconds()) - 1
        return {"access_token": token, "expires_in": seconds, "scope": SCOPE, "token_type": "Bearer"}

    def check(self, headers: Mapping[str, str]) -> Client:
        """The client whose bearer token a request carries; the token must be good now."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused("authenticationError.OAUTH_TOKEN_HEADER_INVALID")
        if token not in self.tokens:
            raise Refused("authenticationError.OAUTH_TOKEN_INVALID", message=INVALID)
        client, until = self.tokens[token]
        if client.revoked:
            raise Refused("authenticationError.OAUTH_TOKEN_REVOKED", message=INVALID)
        if until <= self._world.now():
            raise Refused("authenticationError.OAUTH_TOKEN_EXPIRED", message=INVALID)
        # Which project asks is what counts; the token of old is read by nobody, unless it is empty.
        if headers.get("developer-token") == "":
            raise Refused("requestError.DEVELOPER_TOKEN_PARAMETER_MISSING")
        return client
