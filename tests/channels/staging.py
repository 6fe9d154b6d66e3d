"""A staging view read by its own SQL, without a dbt run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Template
from psycopg.rows import dict_row

from tributary.paths import DBT_PROJECT

if TYPE_CHECKING:
    import psycopg


def staged(conn: psycopg.Connection, channel: str, table: str) -> list[dict[str, Any]]:
    """The rows of a channel's staging view."""
    macros = "".join(path.read_text() for path in (DBT_PROJECT / "macros").glob("*.sql"))
    text = (DBT_PROJECT / "models" / "staging" / channel / f"stg_{channel}__{table}.sql").read_text()
    variables = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text())["vars"]
    query = Template(macros + text).render(source="{}.{}".format, var=variables.__getitem__)
    return conn.cursor(row_factory=dict_row).execute(query.encode()).fetchall()
