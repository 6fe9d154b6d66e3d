"""One message per incident: what is wrong, where, what readers see now, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INCIDENTS = "#analytics-incidents"
RESPONSE_TARGETS = {True: "Respond within 30 minutes.", False: "Respond the same day."}
"""By whether a merchant is held back."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong for one merchant (or for the run as a whole), and its remedy."""

    merchant_id: str | None
    what: str
    remedy: str | None = None
    examples: Sequence[Mapping[str, str]] = field(default=())
    holds_back: bool = True
    """Whether the merchant's readers see nothing new because of it."""


def headline(dag_id: str, problems: Sequence[Problem]) -> str:
    """The incident in one line: who is held back, or which task failed."""
    merchants = sorted({problem.merchant_id for problem in problems if problem.merchant_id and problem.holds_back})
    if merchants:
        return f"{dag_id}: held back {', '.join(merchants)}"
    if problems:
        return f"{dag_id}: {f'{problems[0].merchant_id}, ' if problems[0].merchant_id else ''}{problems[0].what}"
    return f"{dag_id} failed"


def message(dag_id: str, run_url: str, problems: Sequence[Problem], published: Sequence[str] = ()) -> str:
    """The whole incident as Slack text."""
    lines = [f":rotating_light: *{headline(dag_id, problems)}*"]
    for problem in problems:
        lines.append(f"• {f'*{problem.merchant_id}*: ' if problem.merchant_id else ''}{problem.what}")
        lines += [
            f"    {', '.join(f'{name} {value}' for name, value in example.items())}" for example in problem.examples
        ]
        if problem.remedy:
            lines.append(f"    _Next:_ {problem.remedy}")
    holds_back = any(problem.holds_back for problem in problems)
    if any(problem.merchant_id and problem.holds_back for problem in problems):
        lines.append("Nothing new of a merchant held back is published: readers still see its last good figures.")
    if published:
        lines.append(f"Published as usual: {', '.join(sorted(published))}.")
    lines.append(f"{RESPONSE_TARGETS[holds_back]} <{run_url}|Open the run in Airflow>")
    return "\n".join(lines)
