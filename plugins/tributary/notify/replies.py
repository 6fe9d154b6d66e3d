"""What is said in the thread of a message while its incidents go on, and what PagerDuty is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tributary.notify.mrkdwn import clipped, minute, row, span, text
from tributary.notify.wording import CHANNELS, RESPONSE, respond, run_link, to_do

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tributary.notify.wording import Told

_SHOWN, _ROWS = 5, 3


def changed(incidents: Sequence[Told], run_url: str) -> str:
    """The same check, another result."""
    return f"Now: {_several([f'{each.sentence}{_rows(each)}' for each in incidents], 2)}. {run_link(run_url)}"


def resolved(incidents: Sequence[Told], run_url: str) -> str:
    """It is over."""
    took = span(max((each.resolved_at or each.last_seen_at) - each.opened_at for each in incidents))
    titles = _several([each.title for each in incidents])
    return f":white_check_mark: Resolved after {took}: {titles}. {run_link(run_url)}"


def moved(incidents: Sequence[tuple[Told, int]], run_url: str) -> str:
    """It goes on with the other severity: under another number, in the other channel."""
    other, how = (
        ("warning", "blocks no longer") if incidents[0][0].severity == "blocking" else ("blocking", "blocks now")
    )
    titles = _several([f"{incident.title} goes on as #{number}" for incident, number in incidents])
    return f":arrow_right: It {how}: {titles}, in {CHANNELS[other]}. {run_link(run_url)}"


def returned(incidents: Sequence[Told], run_url: str) -> str:
    """For the channel too: it was over for less than a day."""
    return _call(f"{incidents[0].sign} It is back", incidents, run_url)


def unmuted(incidents: Sequence[Told], run_url: str) -> str:
    """For the channel too: nobody asks for silence any longer, and it is still bad."""
    return _call(f"{incidents[0].sign} The mute is over, this is not", incidents, run_url)


def escalated(incidents: Sequence[Told]) -> str:
    """For the channel too: the time to respond has passed."""
    severity = incidents[0].severity
    whom = "<!channel> " if severity == "blocking" else ""
    titles = _several([each.title for each in incidents])
    return f"{whom}:hourglass: Still open after {span(RESPONSE[severity])}: {titles}\n{to_do(incidents[0])}"


def muted(incident: Told, muted_by: str, reason: str, until: datetime) -> str:
    """Who wants to hear nothing of it, until when, and why."""
    return (
        f":mute: {incident.title}: muted until {minute(until)} by {text(muted_by)}: {text(reason)}\n"
        "Nobody is told or paged meanwhile; what is held back stays held back."
    )


def mute_ended(incident: Told, ended_by: str, reason: str) -> str:
    """The next run that sees it says so."""
    return f":speaker: {incident.title}: {text(ended_by)} ended the mute: {text(reason)}"


def alert(incident: Told) -> dict[str, Any]:
    """PagerDuty's event that opens an alert."""
    summary = f"{incident.merchant_id or incident.dag_id}: {incident.dataset}: {incident.check} ({incident.what})"
    links = [{"href": incident.run_url, "text": "Run in Airflow"}]
    links += [{"href": incident.runbook_url, "text": "Runbook"}] if incident.runbook_url else []
    return {
        "event_action": "trigger",
        "payload": {
            "summary": clipped(" ".join(summary.split()), 1024),
            "source": "tributary",
            "severity": "critical",
            "component": incident.dataset,
            "group": incident.merchant_id or "all merchants",
            "custom_details": {
                "what": incident.what,
                "remedy": incident.remedy or "Open the run.",
                "incident": f"#{incident.number}",
            },
        },
        "links": links,
        "client": "Tributary",
        "client_url": incident.run_url,
    }


def all_clear() -> dict[str, Any]:
    """PagerDuty's event that ends an alert."""
    return {"event_action": "resolve"}


def _call(what: str, incidents: Sequence[Told], run_url: str) -> str:
    return f"{what}: {_several([each.sentence for each in incidents])}\n{respond(incidents)} {run_link(run_url)}"


def _several(said: Sequence[str], shown: int = _SHOWN) -> str:
    more = f"; and {len(said) - shown:,} more" if len(said) > shown else ""
    return "; ".join(said[:shown]) + more


def _rows(incident: Told) -> str:
    shown = incident.examples[:_ROWS]
    more = max(incident.kept, len(incident.examples)) - len(shown)
    rows = "; ".join(row(values) for values in shown)
    return f": {rows}{f' and {more:,} more' if more > 0 else ''}" if rows else ""
