"""Who may ask: the app, what a seller authorised it to, and the tokens that say so."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from sandbox.tiktok_shop.endpoint import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sandbox.world import World

APP_KEY = "sandbox_app"
APP_SECRET = "sandbox_app_secret_aurora_0123456789"  # noqa: S105 (a simulation)
ACCESS_SECONDS = 7 * 86_400
AUTHORISED_SECONDS = 365 * 86_400
CODE_SECONDS = 30 * 60
REFUSED = 36004004
"""The one code that is known for refusals of the authorisation host; messages tell them apart."""


@dataclass(frozen=True, slots=True)
class AuthorisedShop:
    """A shop of a seller. One without a merchant is empty."""

    seller: str
    id: str
    cipher: str
    name: str
    region: str
    code: str
    merchant: str = ""


SHOPS = (
    AuthorisedShop(
        "aurora", "7495000000000000002", "TTP_cipher_aurora_uk+Zb7/q4==", "Aurora Outdoor UK", "GB", "GBLCAURUK2"
    ),
    AuthorisedShop(
        "aurora", "7495000000000000001", "TTP_cipher_aurora_us+9Kd/x3==", "Aurora Outdoor", "US", "USLCAUROR1", "aurora"
    ),
    AuthorisedShop(
        "borealis", "7495000000000000003", "TTP_cipher_borealis+1Mn/c5==", "Borealis Living", "US", "USLCBOREA3"
    ),
)


@dataclass(slots=True)
class Authorisation:
    """What one seller allows the app; times are Unix seconds of the sandbox's clock."""

    seller: str
    scopes: list[str]
    ends_at: int
    number: int = -1
    """Of the newest pair of tokens."""
    refresh_token: str = ""
    access_tokens: dict[str, int] = field(default_factory=dict)
    """Each token issued and not refused yet, with the second in which it expires."""
    codes: dict[str, int] = field(default_factory=dict)
    revoked: bool = False
    refresh_calls: int = 0
    """How often somebody asked for a new pair, whatever the answer."""

    def rotate(self, now: int) -> str:
        """A new pair: the refresh token before it is void, access tokens last until they expire."""
        self.number += 1
        self.refresh_token = f"TTP_refresh_{self.seller}_{self.number}"
        access_token = f"TTP_access_{self.seller}_{self.number}"
        self.access_tokens[access_token] = min(now + ACCESS_SECONDS, self.ends_at)
        return access_token

    def expire(self, now: int) -> None:
        """Every access token ends now."""
        self.access_tokens = {token: min(until, now) for token, until in self.access_tokens.items()}


class Access:
    """The authorisations of the app. With a file they survive a restart, as the vendor's do."""

    def __init__(self, world: World, scopes: Iterable[str], file: Path | None) -> None:
        self._world = world
        self._file = file
        self.scopes = sorted(scopes)
        if file is not None and file.exists():
            kept = json.loads(file.read_text())
            self.authorisations = {seller: Authorisation(**row) for seller, row in kept.items()}
            return
        self.authorisations = {}
        for seller in {shop.seller: None for shop in SHOPS}:
            authorisation = Authorisation(seller, list(self.scopes), self.now() + AUTHORISED_SECONDS)
            authorisation.rotate(self.now())
            self.authorisations[seller] = authorisation

    def now(self) -> int:
        return int(self._world.now().timestamp())

    def save(self) -> None:
        """Keep what has changed for the next start."""
        if self._file is not None:
            kept = {seller: asdict(authorisation) for seller, authorisation in self.authorisations.items()}
            self._file.write_text(json.dumps(kept))

    def authorisation(self, token: str) -> Authorisation:
        """The authorisation that a valid access token stands for."""
        for authorisation in self.authorisations.values():
            if not authorisation.revoked and authorisation.access_tokens.get(token, 0) > self.now():
                return authorisation
        raise Refused(105002, "Expired credentials: the access token is expired or not valid", 401)

    def shop(self, authorisation: Authorisation, cipher: str) -> AuthorisedShop:
        """The shop behind a cipher, if the seller of the token owns it."""
        shop = next((shop for shop in SHOPS if shop.cipher == cipher), None)
        if shop is None:
            raise Refused(36009004, "Invalid shop_cipher: there is no such shop", 400)
        if shop.seller != authorisation.seller:
            raise Refused(101000, "The access token does not match the shop of this shop_cipher")
        return shop

    def issue_code(self, seller: str) -> str:
        """What the vendor hands to the app after the seller has authorised it (again)."""
        code = f"TTP_code_{secrets.token_hex(8)}"
        self.authorisations[seller].codes[code] = self.now() + CODE_SECONDS
        self.save()
        return code

    def exchange(self, asked: Mapping[str, str]) -> dict[str, object]:
        """A first pair for an authorisation code, which works once: the authorisation begins anew."""
        self._check_app(asked, "authorized_code")
        code = asked.get("auth_code", "")
        for authorisation in self.authorisations.values():
            if authorisation.codes.pop(code, 0) > self.now():
                authorisation.ends_at = self.now() + AUTHORISED_SECONDS
                authorisation.scopes, authorisation.revoked = list(self.scopes), False
                return self._pair(authorisation)
        raise Refused(REFUSED, "Authorization code is invalid or expired")

    def refresh(self, asked: Mapping[str, str]) -> dict[str, object]:
        """A new pair for the newest refresh token."""
        token = asked.get("refresh_token", "")
        for authorisation in self.authorisations.values():
            authorisation.refresh_calls += token.startswith(f"TTP_refresh_{authorisation.seller}_")
        self._check_app(asked, "refresh_token")
        for authorisation in self.authorisations.values():
            is_good = not authorisation.revoked and authorisation.ends_at > self.now()
            if token == authorisation.refresh_token and is_good:
                return self._pair(authorisation)
        raise Refused(REFUSED, "Refresh token is invalid or expired")

    def _check_app(self, asked: Mapping[str, str], grant_type: str) -> None:
        if asked.get("app_key") != APP_KEY:
            raise Refused(REFUSED, "Invalid app_key")
        if not secrets.compare_digest(asked.get("app_secret", "").encode(), APP_SECRET.encode()):
            raise Refused(REFUSED, "Invalid app_secret")
        if asked.get("grant_type") != grant_type:
            raise Refused(REFUSED, f"Invalid grant_type: it must be {grant_type}")

    def _pair(self, authorisation: Authorisation) -> dict[str, object]:
        access_token = authorisation.rotate(self.now())
        self.save()
        return {
            "access_token": access_token,
            "access_token_expire_in": authorisation.access_tokens[access_token],
            "refresh_token": authorisation.refresh_token,
            "refresh_token_expire_in": authorisation.ends_at,
            "open_id": f"open_{authorisation.seller}",
            "seller_name": authorisation.seller.title(),
            "seller_base_region": "US",
            "user_type": 0,
            "granted_scopes": authorisation.scopes,
        }
