"""The merchants: read from their file, checked, and applied to the warehouse."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

import yaml

from tributary.channels import CHANNELS
from tributary.warehouse.settings.readers import create_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from psycopg import Connection

_MERCHANT_ID = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")
DOMAIN = re.compile(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
# ISO 4217, the active codes of money that shops sell in.
_CURRENCIES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD "
    "HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD "
    "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN "
    "PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY "
    "TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG "
)
_KEYS = {
    "merchant_id",
    "name",
    "time_zone",
    "currency",
    "revenue_includes_tax",
    "history_start",
    "history_days",
    "domains",
    "personal_data_days",
    "channels",
}

_UPSERT = """
insert into ops.merchants as known (
    merchant_id, name, time_zone, currency, revenue_includes_tax, history_start, domains, personal_data_days
)
values (
    %(merchant_id)s, %(name)s, %(time_zone)s, %(currency)s, %(revenue_includes_tax)s, %(history_start)s, %(domains)s,
    %(personal_data_days)s
)
on conflict (merchant_id) do update
set
    name = excluded.name,
    time_zone = excluded.time_zone,
    currency = excluded.currency,
    revenue_includes_tax = excluded.revenue_includes_tax,
    history_start = least(known.history_start, excluded.history_start),
    domains = excluded.domains,
    personal_data_days = excluded.personal_data_days,
    updated_at = now()
"""

_CONNECT = """
insert into ops.merchant_channels (merchant_id, channel)
select * from unnest(%(merchants)s::text[], %(channels)s::text[])
on conflict do nothing
"""
_DISCONNECT = """
delete from ops.merchant_channels
where (merchant_id, channel) not in (select * from unnest(%(merchants)s::text[], %(channels)s::text[]))
"""

_FIGURES_CHANGED = """
insert into ops.changes (merchant_id, channel, stream, operation)
select %(merchant_id)s, 'settings', 'merchants', 'settings'
where not exists (
    select from ops.merchants
    where
        merchant_id = %(merchant_id)s
        and time_zone = %(time_zone)s
        and currency = %(currency)s
        and revenue_includes_tax = %(revenue_includes_tax)s
        and domains = %(domains)s
)
"""


class SettingsError(ValueError):
    """A file of settings is wrong; the message says where, what, and what would be right."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """A tenant: whose days, money and connections these are."""

    merchant_id: str
    name: str
    time_zone: str
    currency: str
    revenue_includes_tax: bool
    history_start: date
    channels: Mapping[str, str]
    """Channel -> Airflow connection id."""
    domains: tuple[str, ...] = ()
    """The shop's own, in order, without www."""
    personal_data_days: int | None = None
    """How long raw keeps people's data; None: as long as the rest."""


def load_merchants(path: Path) -> list[Merchant]:
    """Read the merchants file; raises SettingsError at its first mistake."""
    document = yaml.safe_load(path.read_text())
    if not isinstance(document, dict) or set(document) != {"merchants"} or not isinstance(document["merchants"], list):
        raise SettingsError(f"{path}: must be one list under the key `merchants`")
    merchants = [_merchant(f"{path}: merchant {n}", entry) for n, entry in enumerate(document["merchants"], 1)]
    ids = [merchant.merchant_id for merchant in merchants]
    if repeated := sorted({merchant_id for merchant_id in ids if ids.count(merchant_id) > 1}):
        raise SettingsError(f"{path}: merchant_id {repeated[0]!r} is there twice")
    return merchants


def _merchant(where: str, entry: Any) -> Merchant:
    if not isinstance(entry, dict):
        raise SettingsError(f"{where}: must be a mapping of {', '.join(sorted(_KEYS))}")
    where = f"{where} ({entry.get('merchant_id', '?')})"
    if unknown := sorted(map(str, set(entry) - _KEYS)):
        raise SettingsError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    merchant_id = _text(where, entry, "merchant_id")
    if not _MERCHANT_ID.fullmatch(merchant_id):
        raise SettingsError(
            f"{where}: merchant_id {merchant_id!r} must be 1 to 40 lower-case letters, digits and underscores"
        )
    time_zone = _text(where, entry, "time_zone")
    if time_zone not in available_timezones():
        raise SettingsError(f"{where}: time_zone {time_zone!r} is no IANA zone such as Europe/Berlin")
    currency = _text(where, entry, "currency")
    if currency not in _CURRENCIES.split():
        raise SettingsError(f"{where}: currency {currency!r} is no ISO 4217 code such as EUR")
    includes_tax = entry.get("revenue_includes_tax", False)
    if not isinstance(includes_tax, bool):
        raise SettingsError(f"{where}: revenue_includes_tax is {includes_tax!r}; it must be true or false")
    return Merchant(
        merchant_id=merchant_id,
        name=_text(where, entry, "name"),
        time_zone=time_zone,
        currency=currency,
        revenue_includes_tax=includes_tax,
        history_start=_history_start(where, entry),
        channels=_channels(where, entry.get("channels", {})),
        domains=_domains(where, entry.get("domains", [])),
        personal_data_days=_personal_data_days(where, entry.get("personal_data_days")),
    )


def _text(where: str, entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise SettingsError(f"{where}: {key} is {value!r}; it must be a text (quote it if YAML reads it otherwise)")
    return value


def _history_start(where: str, entry: dict[str, Any]) -> date:
    start, days = entry.get("history_start"), entry.get("history_days")
    if (start is None) == (days is None):
        raise SettingsError(f"{where}: give either history_start (a date) or history_days (a number)")
    if days is not None:
        if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 36_500:
            raise SettingsError(f"{where}: history_days is {days!r}; it must be a whole number from 1 to 36500")
        return datetime.now(UTC).date() - timedelta(days=days)
    if isinstance(start, datetime) or not isinstance(start, date):
        raise SettingsError(f"{where}: history_start is {start!r}; it must be a date such as 2026-08-01")
    return start


def _domains(where: str, domains: Any) -> tuple[str, ...]:
    if not isinstance(domains, list):
        raise SettingsError(f"{where}: domains is {domains!r}; it must be a list such as [aurora.example]")
    for domain in domains:
        if not isinstance(domain, str) or not DOMAIN.fullmatch(domain.lower()):
            raise SettingsError(f"{where}: domains has {domain!r}; it must be a host alone, such as aurora.example")
    return tuple(sorted({domain.lower().removeprefix("www.") for domain in domains}))


def _personal_data_days(where: str, days: Any) -> int | None:
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 36_500):
        raise SettingsError(f"{where}: personal_data_days is {days!r}; it must be a whole number from 1 to 36500")
    return days


def _channels(where: str, channels: Any) -> dict[str, str]:
    if not isinstance(channels, dict):
        raise SettingsError(
            f"{where}: channels is {channels!r}; it must be like {{<channel>: {{connection: <Airflow connection id>}}}}"
        )
    known = sorted(channel.name for channel in CHANNELS)
    for name, channel in channels.items():
        if name not in known:
            raise SettingsError(f"{where}: unknown channel {name!r}; known are {', '.join(known)}")
        if not isinstance(channel, dict) or set(channel) != {"connection"}:
            raise SettingsError(f"{where}: channel {name!r} must be {{connection: <Airflow connection id>}}")
        _text(f"{where}: channel {name!r}", channel, "connection")
    return {name: channel["connection"] for name, channel in channels.items()}


def apply_merchants(conn: Connection, merchants: Iterable[Merchant]) -> None:
    """Bring `ops.merchants` up to the file. What changes a merchant's figures marks all of its days as changed.

    Each merchant also gets its reader's role, when this user may create roles.
    """
    with conn.transaction():
        for merchant in merchants:
            values = {
                "merchant_id": merchant.merchant_id,
                "name": merchant.name,
                "time_zone": merchant.time_zone,
                "currency": merchant.currency,
                "revenue_includes_tax": merchant.revenue_includes_tax,
                "history_start": merchant.history_start,
                "domains": list(merchant.domains),
                "personal_data_days": merchant.personal_data_days,
            }
            conn.execute(_FIGURES_CHANGED, values)
            conn.execute(_UPSERT, values)
            create_reader(conn, f"tributary_reader_{merchant.merchant_id}")


def apply_channels(conn: Connection, merchants: Iterable[Merchant]) -> None:
    """Bring `ops.merchant_channels` up to the file: whoever has a channel no more is not late with it."""
    pairs = [(merchant.merchant_id, channel) for merchant in merchants for channel in merchant.channels]
    values = {"merchants": [merchant_id for merchant_id, _ in pairs], "channels": [channel for _, channel in pairs]}
    conn.execute(_DISCONNECT, values)
    conn.execute(_CONNECT, values)
