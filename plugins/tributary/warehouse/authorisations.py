"""How long the authorisations last that vendors renew for us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import psycopg

    from tributary.warehouse.settings.merchants import Merchant


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What a merchant granted at one vendor, and until when."""

    merchant_id: str
    channel: str
    connection: str
    ends_at: datetime


def authorisations(conn: psycopg.Connection, merchants: Iterable[Merchant]) -> list[Authorisation]:
    """Those of the merchants' connections; where one was authorised anew, the newest counts."""
    rows = conn.execute(
        """
        select distinct on (connection) connection, authorisation_ends_at
        from ops.vendor_tokens
        order by connection, replaced_at desc
        """
    )
    ends: dict[str, datetime] = dict(rows.fetchall())
    return [
        Authorisation(merchant.merchant_id, channel, connection, ends[connection])
        for merchant in merchants
        for channel, connection in merchant.channels.items()
        if connection in ends
    ]
