"""One account's authorisation: an access token for a day, and a refresh token that each refresh replaces."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.world import World

CLIENT_ID = "sandbox_client"
CLIENT_SECRET = "sandbox_client_secret_aurora_0123456789"  # noqa: S105 (a simulation)
BUSINESS_ID = "sandbox_business_aurora"
ACCESS_SECONDS = 86_400
REFRESH_SECONDS = 365 * 86_400
SCOPES = "user.info.basic,video.list,video.insights"


class Refused(Exception):  # noqa: N818
    """An answer with a code that is not 0; the vendor sends all of them with HTTP 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Grant:
    """What the account's owner allowed; times are Unix seconds of the sandbox's clock."""

    access_until: int
    refresh_until: int
    number: int = 0
    """Of the pair of tokens that is good now: each refresh makes another."""
    scopes: str = SCOPES
    revoked: bool = False

    @property
    def access_token(self) -> str:
        return f"act.sandbox_organic_aurora_{self.number}"

    @property
    def refresh_token(self) -> str:
        return f"rft.sandbox_organic_aurora_{self.number}"


class Access:
    """The account's grant. With a file it survives a restart, as the vendor's does."""

    def __init__(self, world: World, file: Path | None) -> None:
        self._world = world
        self._file = file
        kept = json.loads(file.read_text()) if file is not None and file.exists() else {}
        self.grant = Grant(**kept) if kept else Grant(self._now() + ACCESS_SECONDS, self._now() + REFRESH_SECONDS)

    def check(self, token: str, scope: str) -> None:
        """Refuse a token that is unknown, replaced, expired or without the scope."""
        if token != self.grant.access_token or self.grant.revoked or self._now() >= self.grant.access_until:
            raise Refused(40105, "Access token is incorrect, has expired or has been revoked.")
        if scope not in self.grant.scopes.split(","):
            raise Refused(40130, f"The user has not granted the permission {scope}.")

    def refresh(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Replace the pair; the old one stops working."""
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise Refused(40006, "client_id or client_secret is incorrect.")
        if asked.get("grant_type") != "refresh_token":
            raise Refused(40002, "grant_type: must be refresh_token.")
        grant = self.grant
        if asked.get("refresh_token") != grant.refresh_token or grant.revoked or self._now() >= grant.refresh_until:
            raise Refused(40105, "Refresh token is incorrect, has expired or has been revoked.")
        grant.number += 1
        grant.access_until, grant.refresh_until = self._now() + ACCESS_SECONDS, self._now() + REFRESH_SECONDS
        if self._file is not None:
            self._file.write_text(json.dumps(asdict(grant)))
        return {
            "access_token": grant.access_token,
            "expires_in": ACCESS_SECONDS,
            "refresh_token": grant.refresh_token,
            "refresh_token_expires_in": REFRESH_SECONDS,
            "open_id": BUSINESS_ID,
            "scope": grant.scopes,
            "token_type": "Bearer",
        }

    def _now(self) -> int:
        return int(self._world.now().timestamp())
