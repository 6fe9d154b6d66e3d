"""Users are told by e-mail that figures which they may have read already are others now."""

from __future__ import annotations

import logging
from html import escape
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tributary.backfill.state import Backfill

log = logging.getLogger(__name__)

SMTP = "smtp"
"""The connection's name."""


def announce(backfill: Backfill, people: Sequence[str], smtp_conn_id: str = SMTP) -> str:
    """Write to these people, if there is a mail server; what came of it. Nothing is raised: figures are published."""
    try:
        host = BaseHook.get_connection(smtp_conn_id).host
    except AirflowNotFoundException:
        host = None
    if not host:
        return f"Nobody is told by e-mail: there is no connection {smtp_conn_id!r} with a host"
    if not people:
        return "Nobody is told by e-mail: announce_to in include/config/policy.yaml is empty"
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    try:
        with SmtpHook(smtp_conn_id=smtp_conn_id) as hook:
            hook.send_email_smtp(to=list(people), subject=subject(backfill), html_content=body(backfill))
    except Exception as error:  # whatever a mail server or a connection's settings come up with
        log.warning("Nobody is told by e-mail: %s", type(error).__name__)
        return f"Nobody is told by e-mail: the mail server did not take it ({type(error).__name__})"
    return f"Told by e-mail: {len(people)} addresses"


def subject(backfill: Backfill) -> str:
    """Whose figures, and of which days."""
    return f"Figures of {', '.join(backfill.merchants)} changed: {backfill.first_day} to {backfill.last_day}"


def body(backfill: Backfill) -> str:
    """What a reader of figures has to know; nothing of how it was done."""
    days = f"{backfill.first_day} to {backfill.last_day}"
    return (
        f"<p>The figures of <b>{escape(', '.join(backfill.merchants))}</b> of the {backfill.days} days {days} were "
        "computed again and are published. Reports that were made before may show other ones.</p>"
        f"<p>Why: {escape(backfill.reason)}</p>"
        f"<p>Rows changed: {backfill.rows_affected or 0:,}. What changed of each day is shown "
        f'<a href="{escape(backfill.run_url)}">in the run</a> of backfill {backfill.backfill_id}.</p>'
    )
