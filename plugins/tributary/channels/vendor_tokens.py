"""Authorisations whose tokens the vendor renews: one encrypted pair in the warehouse for all tasks.

A task that needs another pair asks the vendor while it holds the lock of the grant's row; the others wait there and
take what it stored. Between the vendor's answer and the commit lies nothing but the update itself: a process killed
right there loses a pair that the vendor may have counted as used, and then the app has to be authorised again.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import msgspec
import psycopg
from cryptography.fernet import InvalidToken

from tributary.http import AuthError, Fatal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tributary.http import Redactor

log = logging.getLogger(__name__)

EARLY = timedelta(minutes=5)
"""A token is replaced this long before its end, so that none expires between two requests."""
ENDS_SOON = timedelta(days=30)
"""From here on people are told that an authorisation ends."""

# Longer than any refresh with its retries: a holder whose machine vanished must not keep the others out for ever.
_PATIENCE = "set local idle_in_transaction_session_timeout = '30min'"

# Who comes second waits here until the first has committed, or is gone.
_BEGIN = """
insert into ops.vendor_tokens (grant_key, connection, pair, access_ends_at, authorisation_ends_at)
values (%(grant_key)s, %(connection)s, %(sealed)s, %(access_ends_at)s, %(authorisation_ends_at)s)
on conflict (grant_key) do nothing
"""

_LOCK = "select pair from ops.vendor_tokens where grant_key = %s for update"

_USED_BY = """
update ops.vendor_tokens set connection = %(connection)s
where grant_key = %(grant_key)s and connection <> %(connection)s
"""

# Whole or not at all, and never over a pair that somebody else stored since.
_REPLACE = """
insert into ops.vendor_tokens as known (grant_key, connection, pair, access_ends_at, authorisation_ends_at)
values (%(grant_key)s, %(connection)s, %(sealed)s, %(access_ends_at)s, %(authorisation_ends_at)s)
on conflict (grant_key) do update
set
    pair = excluded.pair,
    access_ends_at = excluded.access_ends_at,
    authorisation_ends_at = excluded.authorisation_ends_at,
    replaced_at = clock_timestamp()
where known.pair = %(replaced)s
"""


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a refresh brings; both tokens are secret and never show."""

    access_token: str = field(repr=False)
    access_ends_at: datetime
    refresh_token: str = field(repr=False)
    authorisation_ends_at: datetime
    """The end of the refresh token: without a renewal until then, the app has to be authorised again."""


class Cipher(Protocol):
    """Airflow's Fernet, which may be one that leaves everything readable because no key is configured."""

    @property
    def is_encrypted(self) -> bool:
        """Whether there is a key."""

    def encrypt(self, msg: bytes, /) -> bytes:
        """The bytes as they may be stored."""

    def decrypt(self, msg: bytes, /) -> bytes:
        """The stored bytes as they were."""


def grant_key(app_key: str, refresh_token: str) -> str:
    """The name of an authorisation: another app, or a new refresh token in the connection, is another one."""
    return hashlib.sha256(msgspec.json.encode([app_key, refresh_token])).hexdigest()


class StoredTokens:
    """The access token of one authorisation, renewed once for everybody who uses it."""

    def __init__(
        self,
        *,
        connect: Callable[[], psycopg.Connection],
        cipher: Cipher,
        connection_id: str,
        app_key: str,
        first: str,
        refresh: Callable[[str], TokenPair],
        redact: Redactor,
        mask: Callable[[str], None] = lambda secret: None,
        is_trial: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`first` is the refresh token in the connection; `refresh` gives it, or its successor, to the vendor.

        `connect` opens the warehouse; `redact` and `mask` learn every token before it is used. A trial runs under a
        connection id that Airflow makes up for its Test button, which is not written down.
        """
        self._connect = connect
        self._cipher = cipher
        self._connection_id = connection_id
        self._grant_key = grant_key(app_key, first)
        self._refresh = refresh
        self._redact = redact
        self._mask = mask
        self._is_trial = is_trial
        self._now = now
        long_ago = datetime.fromtimestamp(0, UTC)
        self._first = self._learned(TokenPair("", long_ago, first, long_ago))
        self._pair: TokenPair | None = None
        self._warned = False

    def value(self) -> str:
        """A token that lives for a while yet."""
        if self._pair is None or not self._lives(self._pair):
            self._pair = self._shared(self._lives)
            self._warn(self._pair)
        return self._pair.access_token

    def renew(self, refused: str) -> bool:
        """Replaces a token that the vendor refused, unless another task already did."""
        self._pair = self._shared(lambda pair: pair.access_token != refused and self._lives(pair))
        return True

    @property
    def authorisation_ends_at(self) -> datetime | None:
        """When the authorisation ends, as the pair in use says; None before the first use."""
        return self._pair.authorisation_ends_at if self._pair else None

    def _lives(self, pair: TokenPair) -> bool:
        return self._now() < pair.access_ends_at - EARLY

    def _shared(self, is_good: Callable[[TokenPair], bool]) -> TokenPair:
        """The stored pair; when it is not good (any more), the one that replaces it."""
        if not self._cipher.is_encrypted:
            raise AuthError(
                f"The tokens of connection {self._connection_id!r} cannot be stored: there is no key to encrypt them",
                remedy="Set AIRFLOW__CORE__FERNET_KEY to the same key for every component of Airflow.",
            )
        with self._connect() as conn:
            conn.execute(_PATIENCE)
            conn.execute(_BEGIN, self._row(self._first))
            [(sealed,)] = conn.execute(_LOCK, (self._grant_key,)).fetchall()
            pair = self._opened(sealed)
            if not self._is_trial:
                conn.execute(_USED_BY, {"grant_key": self._grant_key, "connection": self._connection_id})
            if is_good(pair):
                return pair
            renewed = self._renewed(pair.refresh_token)
            row = {**self._row(renewed), "replaced": sealed}
            try:
                conn.execute(_REPLACE, row)
                conn.commit()
            except psycopg.OperationalError:
                # The connection broke during the refresh. The vendor may never take the old pair again, so this one
                # must not be lost; a task that has refreshed meanwhile keeps its own.
                with self._connect() as another:
                    another.execute(_REPLACE, row)
        return self._learned(renewed)

    def _renewed(self, refresh_token: str) -> TokenPair:
        try:
            return self._refresh(refresh_token)
        except Fatal as error:
            raise AuthError(
                f"The authorisation of connection {self._connection_id!r} cannot be renewed: {str(error).rstrip('.')}",
                remedy="Unless that names another cause, authorise the app again and put the new refresh token into "
                f"the connection {self._connection_id!r}.",
            ) from None

    def _row(self, pair: TokenPair) -> dict[str, object]:
        return {
            "grant_key": self._grant_key,
            "connection": self._connection_id,
            "sealed": self._cipher.encrypt(msgspec.json.encode(pair)),
            "access_ends_at": pair.access_ends_at,
            "authorisation_ends_at": pair.authorisation_ends_at,
        }

    def _opened(self, sealed: bytes) -> TokenPair:
        try:
            return self._learned(msgspec.json.decode(self._cipher.decrypt(sealed), type=TokenPair))
        except InvalidToken:
            raise AuthError(
                f"The stored tokens of connection {self._connection_id!r} cannot be decrypted: Airflow's Fernet key "
                "is another one than they were stored with",
                remedy="Put the former key behind the new one in AIRFLOW__CORE__FERNET_KEY (new,former), or authorise "
                f"the app again and put the new refresh token into {self._connection_id!r}.",
            ) from None

    def _learned(self, pair: TokenPair) -> TokenPair:
        for secret in filter(None, (pair.access_token, pair.refresh_token)):
            self._redact.add(secret)
            self._mask(secret)
        return pair

    def _warn(self, pair: TokenPair) -> None:
        if not self._warned and pair.authorisation_ends_at - self._now() < ENDS_SOON:
            self._warned = True
            log.warning(
                "The authorisation of connection %r ends on %s. Authorise the app again before that day and put the "
                "new refresh token into the connection.",
                self._connection_id,
                f"{pair.authorisation_ends_at:%Y-%m-%d}",
            )
