"""Looks for secrets wherever an installation writes: logs, messages, and every row of both databases."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from tests.e2e.conftest import Road


def leaks(road: Road) -> dict[str, list[str]]:
    """The places where secrets stand, and the first of them."""
    secrets = planted(road)
    seen = {f"logs {path}": path.read_text(errors="replace") for path in logs(road)}
    seen["Slack"] = json.dumps(road.slack())
    seen["PagerDuty"] = json.dumps(road.sandbox("GET", "pagerduty/alerts"))
    for name in ("WAREHOUSE_URL", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"):
        seen |= rows(road.env[name].replace("postgresql+psycopg2", "postgresql"))
    assert len(seen) > 60, "the search would hold of an empty house"
    return {place: secrets.findall(text)[:3] for place, text in seen.items() if secrets.search(text)}


def planted(road: Road) -> re.Pattern[str]:
    """Every secret that a vendor takes or gives, tokens that were rotated away included."""
    named = re.compile(r"^(SHOPIFY|TIKTOK|META_ADS|GOOGLE_ADS).*(SECRET|TOKEN)$|^KLAVIYO.*API_KEY$")
    configured = {value for name, value in road.env.items() if named.search(name)}
    # Each line of the key, however it is escaped where it stands.
    configured |= set(json.loads(road.env["GA4_AURORA_KEYFILE"])["private_key"].splitlines()[1:-1])
    issued = [r"TTP_(?:access|refresh)_\w+?_\d+", r"(?:act|rft)\.sandbox_organic_\w+", r"ya29\.sandbox_\w+"]
    return re.compile("|".join([*map(re.escape, configured), *issued]))


def logs(road: Road) -> list[Path]:
    folder = Path(road.env["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]).parent
    return [path for path in folder.rglob("*") if path.is_file()]


def rows(url: str) -> dict[str, str]:
    """Every row of every table of a database, as text."""
    found = {}
    with psycopg.connect(url) as conn:
        tables = conn.execute(
            """
            select schemaname, tablename from pg_tables
            where schemaname not in ('pg_catalog', 'information_schema') and has_schema_privilege(schemaname, 'usage')
            """
        ).fetchall()
        for schema, table in tables:
            query = sql.SQL("select coalesce(string_agg(t::text, e'\\n'), '') from {} as t")
            row = conn.execute(query.format(sql.Identifier(schema, table))).fetchone()
            found[f"{schema}.{table}"] = row[0] if row else ""
    return found
