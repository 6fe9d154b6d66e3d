"""A warehouse that does not answer keeps no message about it: Slack is told directly, once."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowFailException
from psycopg import OperationalError

from tributary.notify.mrkdwn import minute, text
from tributary.notify.service import NotSentError
from tributary.notify.wording import INCIDENTS
from tributary.operators.messengers import slack
from tributary.operators.warehouse import warehouse

if TYPE_CHECKING:
    from psycopg import Connection

log = logging.getLogger(__name__)

SILENT_SINCE = "warehouse_silent_since"
"""The Airflow Variable that remembers since when, as soon as Slack knows."""


def answering_warehouse(warehouse_conn_id: str, slack_conn_id: str) -> Connection:
    """The warehouse; Slack hears when it does not answer, and when it does again, as soon as Slack itself answers."""
    since, now = Variable.get(SILENT_SINCE, default=None), minute(datetime.now(UTC))
    try:
        conn = warehouse(warehouse_conn_id)
    except OperationalError as error:
        reason = str(error).partition("\n")[0]
        if since is None and _said(
            slack_conn_id,
            f":rotating_light: *The warehouse does not answer* (watch)\n{text(reason)}\n"
            f"Seen first {now}. Nothing is read, published or reported meanwhile.\n"
            "    _Next:_ Look whether PostgreSQL runs and takes connections; every DAG then goes on by itself.",
        ):
            Variable.set(SILENT_SINCE, now)
        raise AirflowFailException(f"The warehouse does not answer, seen first {since or now}: {reason}") from None
    if since and _said(slack_conn_id, f":white_check_mark: The warehouse answers again. It did not since {since}."):
        Variable.delete(SILENT_SINCE)
    return conn


def _said(slack_conn_id: str, message: str) -> bool:
    try:
        slack(slack_conn_id).post(INCIDENTS, message, key="warehouse", thread_ts=None, is_broadcast=False)
    except NotSentError as error:
        log.warning("Slack does not know: %s", error)
        return False
    return True
