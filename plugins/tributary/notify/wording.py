"""What a person on call reads first: what is wrong, for whom, since when, what readers see, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from tributary.notify.mrkdwn import link, minute, names, row, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

INCIDENTS = "#analytics-incidents"
MONITORING = "#analytics-monitoring"
CHANNELS = {"blocking": INCIDENTS, "warning": MONITORING}

RESPONSE = {"blocking": timedelta(minutes=30), "warning": timedelta(hours=24)}
"""How soon somebody is to look; after that it is said again, louder."""

MOST = 3500
"""Characters of a message; Slack asks for less than 4,000."""

_TARGETS = {"blocking": "Respond within 30 minutes", "warning": "Respond the same day"}
_SIGNS = {"blocking": ":rotating_light:", "warning": ":warning:"}
_MERCHANTS_IN_FULL = 5
_LONGEST_WHAT = 1000
"""A vendor's refusal ends with its remedy."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the words need of an incident."""

    number: int
    merchant_id: str | None
    dataset: str
    check: str
    severity: Literal["blocking", "warning"]
    holds_back: bool
    what: str
    examples: Sequence[Mapping[str, str]]
    kept: int
    """How many failing rows stand in ops.failed_rows."""
    remedy: str | None
    owner: str | None
    runbook_url: str | None
    dag_id: str
    run_url: str
    opened_at: datetime
    last_seen_at: datetime
    told_at: datetime
    """When people were called; the time to respond counts from it."""
    resolved_at: datetime | None = None
    muted_until: datetime | None = None
    occurrences: int = 1
    folded: int = 0
    """How many other incidents are open because of it."""
    published_at: datetime | None = None
    """When the merchant (or, without one, anybody) was published last."""

    @property
    def title(self) -> str:
        """Number, merchant and check: what it is called everywhere."""
        merchant = f" {text(self.merchant_id)}" if self.merchant_id else ""
        return f"*#{self.number}{merchant}* {text(f'{self.dataset}: {self.check}')}"

    @property
    def sentence(self) -> str:
        """The title, and what was measured."""
        return f"{self.title} ({text(self.what, _LONGEST_WHAT)})" if self.what else self.title

    @property
    def sign(self) -> str:
        """What is seen from afar."""
        return _SIGNS[self.severity]


def head(incidents: Sequence[Told], published: Sequence[str] = ()) -> str:
    """The message that tells the incidents of one run and severity, as they are now; never longer than MOST.

    Examples are cut first, then what is said of each incident, then incidents are only counted.
    """
    most = len(incidents)
    for examples, detailed, listed in (
        *((examples, most, most) for examples in (20, 10, 5, 3, 1, 0)),
        *((0, detailed, most) for detailed in _fewer(most)),
        *((0, 0, listed) for listed in _fewer(most)),
    ):
        message = _composed(incidents, published, examples, detailed, listed)
        if len(message) <= MOST:
            break
    return message


def to_do(incident: Told) -> str:
    """The next step, who is to take it, and where it is written down."""
    parts = [f"_Next:_ {text(incident.remedy)}"] if incident.remedy else []
    parts += [f"_Owner:_ {text(incident.owner)}"] if incident.owner else []
    parts += [link(incident.runbook_url, "Runbook")] if incident.runbook_url else []
    return " · ".join(parts) or "_Next:_ Open the run."


def respond(waiting: Sequence[Told]) -> str:
    """The response target, and when it has passed."""
    severity = waiting[0].severity
    return f"{_TARGETS[severity]}, by {minute(min(each.told_at for each in waiting) + RESPONSE[severity])}."


def run_link(url: str) -> str:
    """Where the run is looked at."""
    return link(url, "Open the run")


def _fewer(most: int) -> Iterator[int]:
    while most:
        most //= 2
        yield most


def _composed(incidents: Sequence[Told], published: Sequence[str], examples: int, detailed: int, listed: int) -> str:
    still = [each for each in incidents if not each.resolved_at]
    lines = [f"{_headline(still or incidents)} ({text(incidents[0].dag_id)})", *_readers(still)]
    if still and published:
        lines.append(f"Published as usual: {names(published)}.")
    # What is open is said in full before what is over.
    for position, incident in enumerate(sorted(incidents, key=lambda each: each.resolved_at is not None)):
        if position < detailed and not incident.resolved_at:
            lines += _details(incident, examples)
        elif position < listed:
            lines.append(_line(incident))
    if listed < len(incidents):
        lines.append(f"and {len(incidents) - listed:,} more in ops.incidents")
    run = run_link(max(incidents, key=lambda each: each.last_seen_at).run_url)
    if waiting := [each for each in still if not each.muted_until]:
        lines.append(f"{respond(waiting)} {run}")
        lines.append(f"To mute one, start `mute_incident` with its number, such as {waiting[0].number}.")
    else:
        lines.append(run)
    return "\n".join(lines)


def _headline(incidents: Sequence[Told]) -> str:
    """Who is held back, or else for whom something is wrong."""
    first = incidents[0]
    held = names(each.merchant_id for each in incidents if each.holds_back and each.merchant_id)
    concerned = names(each.merchant_id for each in incidents if each.merchant_id) or text(first.dataset)
    if first.resolved_at:
        return f":white_check_mark: *Resolved: {concerned}*"
    if held:
        what = f"Held back: {held}"
    elif first.severity == "blocking":
        what = f"Failed: {concerned}"
    else:
        what = f"{len(incidents)} warnings: {concerned}" if len(incidents) > 1 else f"Warning: {concerned}"
    return f"{first.sign} *{what}*"


def _readers(still: Sequence[Told]) -> list[str]:
    """What is held back, and what readers see meanwhile."""
    held = {each.merchant_id: each for each in still if each.holds_back}
    lines = []
    for each in list(held.values())[:_MERCHANTS_IN_FULL]:
        whose = text(each.merchant_id) if each.merchant_id else "any merchant"
        seen = f"what was published {minute(each.published_at)}" if each.published_at else "nothing of it yet"
        lines.append(f"Nothing new of {whose} is published: readers see {seen}.")
    if more := len(held) - len(lines):
        lines.append(f"The same holds for {more:,} more.")
    return lines or ["Nothing is held back: readers see what is published."][: len(still)]


def _details(incident: Told, examples: int) -> list[str]:
    lines = [incident.sentence, f"    {_since(incident)}"]
    shown = incident.examples[:examples]
    lines += [f"    • {row(values)}" for values in shown]
    if (more := max(incident.kept, len(incident.examples)) - len(shown)) > 0:
        what = f"and {more:,} more" if shown else f"{more:,} row{'' if more == 1 else 's'}"
        lines.append(f"    {what} in ops.failed_rows")
    if incident.folded:
        checks = "check" if incident.folded == 1 else "checks"
        lines.append(f"    and {incident.folded:,} more {checks} could not be evaluated because of it")
    return [*lines, f"    {to_do(incident)}"]


def _line(incident: Told) -> str:
    if incident.resolved_at:
        return f":white_check_mark: {incident.title}: {minute(incident.opened_at)} to {minute(incident.resolved_at)}"
    return incident.title


def _since(incident: Told) -> str:
    since = f"Since {minute(incident.opened_at)}"
    if incident.occurrences > 1:
        since += f", seen {incident.occurrences:,} times, last {minute(incident.last_seen_at)}"
    return f"{since}. Muted until {minute(incident.muted_until)}." if incident.muted_until else f"{since}."
