"""Hook for TikTok Shop's Open API."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook
from airflow.sdk.crypto import get_fernet
from airflow.sdk.log import mask_secret

from tributary.channels.connections import address
from tributary.channels.tiktok_shop.api import HOST, OFFICIAL_RETRY, App, TikTokShopApi, budgets
from tributary.channels.tiktok_shop.diagnosis import diagnose
from tributary.channels.tiktok_shop.refusals import explain
from tributary.channels.tiktok_shop.token import StaticToken, refreshed
from tributary.channels.vendor_tokens import StoredTokens
from tributary.http import HttpClient, Redactor, RetryPolicy, Timeouts

if TYPE_CHECKING:
    import psycopg
    from airflow.sdk import Connection

AUTH_HOST = "https://auth.tiktok-shops.com"
SECRET_EXTRAS = ("refresh_token", "access_token")


class TikTokShopHook(BaseHook):
    """
    Reads one shop through TikTok Shop's Open API.

    .. code-block:: python

        api = TikTokShopHook("tiktok_shop_aurora").get_conn()
        api.get("/finance/202309/statements", {"sort_field": "statement_time"}, budget="finance")

    :param tiktok_shop_conn_id: Airflow connection of type ``tiktok_shop``: the login is the app's key, the password its
        secret. The extra field ``refresh_token`` is what the seller's authorisation brought; the pairs that follow it
        live encrypted in the warehouse. Instead of it, ``access_token`` serves for a week. ``shop_id`` chooses among
        several shops; ``requests_per_second`` (1) is how fast analytics are asked for.
    :param warehouse_conn_id: The warehouse's connection.
    """

    conn_name_attr = "tiktok_shop_conn_id"
    default_conn_name = "tiktok_shop_default"
    conn_type = "tiktok_shop"
    hook_name = "TikTok Shop"

    def __init__(
        self, tiktok_shop_conn_id: str = default_conn_name, *, warehouse_conn_id: str = "warehouse", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.tiktok_shop_conn_id = tiktok_shop_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    @cached_property
    def client(self) -> TikTokShopApi:
        """The shop's API, with the patience of a scheduled sync."""
        return self._api(Timeouts(), OFFICIAL_RETRY)[0]

    def get_conn(self) -> TikTokShopApi:
        """Return the shop's API (cached)."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection, quickly, and say what is missing. A pair that has to be renewed is stored as always."""
        # The second attempt is for a clock that is wrong: the first one tells the right time.
        retry = RetryPolicy(attempts=2, longest_back_off=1, longest_retry_after=1)
        try:
            api, tokens = self._api(Timeouts(connect=5, read=10, total=15), retry, is_trial=True)
        except ValueError as error:
            return False, str(error)
        try:
            return diagnose(api, lambda: tokens.authorisation_ends_at if isinstance(tokens, StoredTokens) else None)
        finally:
            api.close()

    def _api(
        self, timeouts: Timeouts, retry: RetryPolicy, is_trial: bool = False
    ) -> tuple[TikTokShopApi, StoredTokens | StaticToken]:
        connection = self.get_connection(self.tiktok_shop_conn_id)
        fields = _Fields(self.tiktok_shop_conn_id, connection)
        for secret in fields.secrets:
            mask_secret(secret)
        client = HttpClient(
            redact=Redactor(fields.secrets),
            budgets=budgets(fields.requests_per_second),
            explain=explain,
            timeouts=timeouts,
            retry=retry,
        )
        tokens = self._tokens(fields, client, is_trial)
        return TikTokShopApi(client, fields.host("api_host", HOST), fields.app, tokens, fields.text("shop_id")), tokens

    def _tokens(self, fields: _Fields, client: HttpClient, is_trial: bool) -> StoredTokens | StaticToken:
        app = fields.app
        if refresh_token := fields.text("refresh_token"):
            return StoredTokens(
                connect=self._warehouse,
                cipher=get_fernet(),
                connection_id=self.tiktok_shop_conn_id,
                app_key=app.key,
                first=refresh_token,
                refresh=partial(refreshed, client, fields.host("auth_host", AUTH_HOST), app.key, app.secret),
                redact=client.redact,
                mask=mask_secret,
                is_trial=is_trial,
            )
        if access_token := fields.text("access_token"):
            return StaticToken(access_token)
        raise ValueError(
            f"Connection {self.tiktok_shop_conn_id!r} has neither the extra field refresh_token (which comes with the "
            "seller's authorisation) nor access_token; put in the refresh token."
        )

    def _warehouse(self) -> psycopg.Connection:
        return cast("psycopg.Connection", PostgresHook(postgres_conn_id=self.warehouse_conn_id).get_conn())


@dataclass(frozen=True)
class _Fields:
    """What the connection says, checked; a message names the field."""

    conn_id: str
    connection: Connection

    @property
    def app(self) -> App:
        """The app that signs."""
        key, secret = (self.connection.login or "").strip(), (self.connection.password or "").strip()
        if not key:
            raise ValueError(f"Connection {self.conn_id!r} has no login; put in the app's key from Partner Center.")
        if not secret:
            raise ValueError(f"Connection {self.conn_id!r} has no password; put in the app's secret.")
        return App(key, secret)

    @property
    def secrets(self) -> list[str]:
        """What must never show."""
        values = (self.app.secret, *map(self.text, SECRET_EXTRAS))
        return [value for value in values if value]

    @property
    def requests_per_second(self) -> float:
        """How fast analytics are asked for."""
        text = self.text("requests_per_second") or "1"
        try:
            rate = float(text)
        except ValueError:
            rate = 0.0
        if not 0 < rate <= 1000:
            raise ValueError(
                f"Connection {self.conn_id!r}: the extra field requests_per_second is {text!r}; put in a number above "
                "0 and up to 1000, or leave it empty for 1."
            )
        return rate

    def text(self, name: str) -> str | None:
        """An extra field without blanks around it; None when it is empty."""
        return str(self.connection.extra_dejson.get(name) or "").strip() or None

    def host(self, name: str, default: str) -> str:
        """The address in an extra field, which may leave the scheme out."""
        return address(self.text(name) or default)
