"""What becomes of each incident after a run, decided from what the run saw and what is open; no SQL, no words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from tributary.quality.finding import IS_THERE, SHOWN
from tributary.quality.incidents.observation import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tributary.quality.incidents.observation import Observation, Run, Severity

RETURNS_WITHIN = timedelta(hours=24)
"""What comes back so soon is the same incident, in the same thread."""

WAS_READ = "Every stream was read"
AGREES = "Closed days agree with the shop's own count"

SAID_ELSEWHERE: Mapping[tuple[str, str], Callable[[str], tuple[str, str]]] = {
    ("fct_freshness", "Every stream was read within its SLA"): lambda channel: (channel, WAS_READ),
    ("fct_daily_metrics", "The shop's control totals of closed days agree"): lambda channel: (
        f"{channel} control totals",
        AGREES,
    ),
}
"""Dataset and check -> those that say the same of a channel nearer to the cause. Rows of the first name channels."""

# What differs each time and is no news: a figure that grows by itself, a vendor's name for a request.
_AGES = {"hours_behind"}
_REQUEST_ID = re.compile(r"request id [^();]+")

Said = Literal["new", "changed", "returned", "unmuted", "moved", "resolved"]
"""What people hear of it: as part of the run's new message (new), or in the thread of the one that told it."""

CALLS = ("new", "returned", "unmuted")
"""What calls people, and pages when it blocks."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A row of ops.incidents, as far as its future depends on it."""

    incident_id: int
    key: Key
    severity: Severity
    is_open: bool
    what: str
    examples: Sequence[Mapping[str, str]]
    dag_id: str
    run_id: str
    muted_until: datetime | None = None
    root_id: int | None = None
    message_id: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one incident becomes: open as observed, or resolved (without an observation)."""

    incident: Incident | None
    """None: it is a new one."""
    observation: Observation | None
    said: Said | None = None
    root: Key | None = None
    muted_until: datetime | None = None
    counts: bool = True
    """Whether the run sees it for the first time; a task that is tried again counts nothing twice."""

    @property
    def opens(self) -> bool:
        """Whether it was not open before."""
        return self.observation is not None and (self.incident is None or not self.incident.is_open)


@dataclass(frozen=True, slots=True)
class Known:
    """What is on record before the run is settled."""

    incidents: Sequence[Incident]
    """The open ones, and those resolved so lately that they would return."""
    mutes: Mapping[tuple[Key, Severity], datetime] = field(default_factory=dict)
    """Until when somebody wants to hear nothing."""


def decide(run: Run, observations: Sequence[Observation], known: Known) -> list[Step]:
    """What becomes of every incident that the run knows something about, roots before what they explain."""
    seen = {observation.key: observation for observation in merged(observations)}
    bad = [observation for observation in seen.values() if observation.severity]
    is_open = {(each.key, each.severity): each for each in known.incidents if each.is_open}
    lately = {(each.key, each.severity): each for each in known.incidents if not each.is_open and not each.root_id}
    roots = {observation.key: _root(observation, seen, is_open) for observation in bad}
    steps = []
    for observation in sorted(bad, key=lambda one: roots[one.key] is not None):
        assert observation.severity is not None
        identity = (observation.key, observation.severity)
        root, muted_until = roots[observation.key], known.mutes.get(identity)
        if identity in is_open:
            step = _seen_again(run, is_open[identity], observation, root, muted_until)
        else:
            before = None if root else lately.get(identity)
            told = before is not None and before.message_id is not None
            said: Said | None = None if root or muted_until else "returned" if told else "new"
            step = Step(before, observation, said, root, muted_until)
        steps += [step] if step else []
    return steps + _resolved(seen, list(is_open.values()), known)


def merged(observations: Sequence[Observation]) -> list[Observation]:
    """One observation per key, the worst; what is equally bad is said in one."""
    by_key: dict[Key, list[Observation]] = {}
    for observation in observations:
        by_key.setdefault(observation.key, []).append(observation)
    return [_worst(several) for several in by_key.values()]


def _worst(several: Sequence[Observation]) -> Observation:
    severity = next((one for one in ("blocking", "warning") if any(each.severity == one for each in several)), None)
    worst = [each for each in several if each.severity == severity]
    return replace(
        worst[0],
        what="; ".join(dict.fromkeys(each.what for each in worst if each.what)),
        examples=[row for each in worst for row in each.examples][:SHOWN],
        holds_back=any(each.holds_back for each in worst),
        is_partial=any(each.is_partial for each in worst),
        root=worst[0].root if all(each.root for each in worst) else None,
    )


def _root(
    observation: Observation, seen: Mapping[Key, Observation], is_open: Mapping[tuple[Key, Severity], Incident]
) -> Key | None:
    """What explains it and is told itself: another check of this run, or one that is nearer to the cause."""
    if (root := observation.root) and root != observation.key:
        explains = seen.get(root)
        return root if explains and explains.severity and not explains.root else None
    nearer = SAID_ELSEWHERE.get((observation.key.dataset, observation.key.check))
    if nearer is None:
        return None
    channels = dict.fromkeys(row.get("channel", "") for row in observation.examples)
    causes = [Key(observation.key.merchant_id, *nearer(channel)) for channel in channels]
    explained = [
        seen[key].severity if key in seen else (key, "warning") in is_open or (key, "blocking") in is_open
        for key in causes
    ]
    return causes[0] if causes and all(explained) else None


def _seen_again(
    run: Run, incident: Incident, observation: Observation, root: Key | None, muted_until: datetime | None
) -> Step | None:
    """An incident that goes on; None when the run had seen all of that before."""
    if root and incident.message_id is not None:
        # It was told before its root was known: it stands, and what it said is still what is known of it.
        observation, root = replace(observation, what=incident.what, examples=incident.examples), None
    said: Said | None = None
    if not root and not muted_until:
        if incident.message_id is None:
            said = "new"
        elif incident.muted_until is not None:
            said = "unmuted"
        elif incident.severity == "blocking" and _has_changed(incident, observation):
            # Of a warning each build sees other days; what it measured last stands in the message.
            said = "changed"
    counts = (incident.dag_id, incident.run_id) != (run.dag_id, run.run_id)
    if not counts and said is None and incident.muted_until == muted_until:
        return None
    return Step(incident, observation, said, root, muted_until, counts)


def _has_changed(incident: Incident, observation: Observation) -> bool:
    before, now = (_REQUEST_ID.sub("", what) for what in (incident.what, observation.what))
    return before != now or _rows(incident.examples) != _rows(observation.examples)


def _rows(examples: Sequence[Mapping[str, str]]) -> set[frozenset[tuple[str, str]]]:
    return {frozenset((name, value) for name, value in row.items() if name not in _AGES) for row in examples}


def _resolved(seen: Mapping[Key, Observation], is_open: Sequence[Incident], known: Known) -> list[Step]:
    judged = {(key.merchant_id, key.dataset) for key in seen}
    missing = {(key.merchant_id, key.dataset) for key, one in seen.items() if key.check == IS_THERE and one.severity}

    def is_over(incident: Incident) -> bool:
        if incident.key in seen:
            observed = seen[incident.key]
            return observed.severity != incident.severity and not observed.is_partial
        pair = (incident.key.merchant_id, incident.key.dataset)
        return pair in judged and pair not in missing

    over = [incident for incident in is_open if is_over(incident)]
    ids = {incident.incident_id for incident in over}
    over += [each for each in is_open if each.root_id in ids and each.incident_id not in ids and each.key not in seen]
    return [_end(incident, seen.get(incident.key), known) for incident in over]


def _end(incident: Incident, observed: Observation | None, known: Known) -> Step:
    is_silent = incident.message_id is None or incident.root_id or (incident.key, incident.severity) in known.mutes
    has_moved = observed is not None and observed.severity is not None
    return Step(incident, None, None if is_silent else "moved" if has_moved else "resolved")
