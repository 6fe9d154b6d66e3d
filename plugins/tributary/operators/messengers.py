"""Slack and PagerDuty as every operator reaches them: over Airflow's connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from tributary.notify.service import TIMEOUT

if TYPE_CHECKING:
    from tributary.notify.pagerduty import Pager
    from tributary.notify.slack import Slack

SLACK = "slack"
PAGERDUTY = "pagerduty"
"""The connections' names."""


def slack(conn_id: str = SLACK) -> Slack:
    """Slack; what it does not take is kept and sent later, so nothing is tried twice here."""
    # Slack's client takes half a second to import, and every task of a DAG imports the DAG's operators.
    from airflow.providers.slack.hooks.slack import SlackHook
    from slack_sdk import WebClient

    from tributary.notify.slack import Slack

    try:
        client = SlackHook(slack_conn_id=conn_id, timeout=TIMEOUT, retry_handlers=[]).client
    except AirflowNotFoundException:
        # Slack itself then says that the token is missing, and PagerDuty hears all the same.
        client = WebClient(timeout=TIMEOUT)
    return Slack(client)


def pager(conn_id: str = PAGERDUTY) -> Pager | None:
    """PagerDuty; None when there is no such connection or no routing key in it: then nobody is paged."""
    from tributary.notify.pagerduty import Pager

    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
    return Pager(connection.password, connection.host or None) if connection.password else None
