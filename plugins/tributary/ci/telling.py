"""What people read of slim CI: a comment under the pull request, and a message to those who look after the models.

`python -m tributary.ci.telling FOLDER` sends the message of the verdict that slim CI left in the folder, by SLACK_TOKEN
(and SLACK_BASE_URL). PULL_REQUEST, PULL_REQUEST_TITLE, PULL_REQUEST_URL and COMMITTER say whose change it was.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from slack_sdk import WebClient

from tributary.ci.verdict import kept
from tributary.notify.mrkdwn import clipped, link, text
from tributary.notify.service import TIMEOUT, NotSentError
from tributary.notify.slack import LONGEST, Slack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tributary.ci.verdict import Problem, Verdict

CHANNEL = "#analytics-builds"

_MOST_TOLD = 8
_MOST_COMMENTED = 50
_LONGEST_SAID = 1_000


def comment(verdict: Verdict) -> str:
    """The verdict in Markdown."""
    return "\n\n".join(_paragraphs(verdict)) + "\n"


def _paragraphs(verdict: Verdict) -> Iterator[str]:
    yield f"### dbt: {headline(verdict)}"
    yield from verdict.notes
    if verdict.changed:
        yield f"**Changed:** {_names(verdict.changed)}"
    if downstream := sorted({*verdict.built} - {*verdict.changed}):
        yield f"**Built because they read what changed:** {_names(downstream)}"
    if verdict.skipped:
        yield f"**Not built, because something before them is wrong:** {_names(verdict.skipped)}"
    yield from _section("Errors", verdict.errors)
    yield from _section("Tests that block", verdict.blocking)
    yield from _section("Warnings, which do not block", verdict.warnings)


def headline(verdict: Verdict) -> str:
    """The verdict in a line."""
    ran = f"{_count(len(verdict.built), 'model')} built, {_count(verdict.tests, 'test')} run"
    bad = [
        *([_count(len(verdict.errors), "error")] if verdict.errors else []),
        *([f"{_count(len(verdict.blocking), 'test')} failed"] if verdict.blocking else []),
    ]
    warned = f", {_count(len(verdict.warnings), 'warning')}" if verdict.warnings else ""
    if bad:
        return f"does not pass: {', '.join(bad)}{warned} ({ran})"
    if not (verdict.built or verdict.tests):
        return "passes: nothing that is built differs from production"
    return f"passes{' with warnings' if warned else ''}: {ran}{warned}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _names(models: Sequence[str]) -> str:
    return ", ".join(f"`{model}`" for model in models)


def _section(title: str, problems: Sequence[Problem]) -> Iterator[str]:
    if problems:
        yield f"#### {title}"
    for problem in problems[:_MOST_COMMENTED]:
        said = clipped(problem.said, _LONGEST_SAID).replace("```", "'''")
        fenced = f"\n\n```text\n{said}\n```" if said else ""
        yield f"**{problem.title}** in `{problem.place}`{fenced}"
    if (more := len(problems) - _MOST_COMMENTED) > 0:
        yield f"and {more:,} more"


def message(verdict: Verdict | None, change: Mapping[str, str]) -> str:
    """The verdict in Slack's markup; None when there is none, as of a step that was stopped."""
    pull_request = f"#{change['PULL_REQUEST']} {text(change['PULL_REQUEST_TITLE'])}"
    where = f"{link(change['PULL_REQUEST_URL'], pull_request)}, last commit by {text(change['COMMITTER'])}"
    if verdict is None:
        return f":x: *Slim CI came to no verdict*: {where}\nRead the log of its last step, then run it again."
    problems = [*verdict.errors, *verdict.blocking]
    lines = [f":x: *dbt {text(headline(verdict))}*", where]
    for problem in problems[:_MOST_TOLD]:
        said = f": {text(problem.said)}" if problem.said else ""
        lines.append(f"• *{text(problem.title)}* in {text(problem.place)}{said}")
    if (more := len(problems) - _MOST_TOLD) > 0:
        lines.append(f"and {more:,} more in the pull request")
    return clipped("\n".join(lines), LONGEST)


def main() -> int:
    """Send the message of the verdict in a folder."""
    needed = ("SLACK_TOKEN", "PULL_REQUEST", "PULL_REQUEST_TITLE", "PULL_REQUEST_URL", "COMMITTER")
    if missing := [name for name in needed if not os.environ.get(name)]:
        sys.exit(f"{', '.join(missing)} not set: nobody was told")
    verdict = kept(Path(sys.argv[1]))
    client = WebClient(
        token=os.environ["SLACK_TOKEN"],
        base_url=os.environ.get("SLACK_BASE_URL") or WebClient.BASE_URL,
        timeout=TIMEOUT,
    )
    try:
        key = f"pull request {os.environ['PULL_REQUEST']}"
        Slack(client).post(CHANNEL, message(verdict, os.environ), key, None, False)
    except NotSentError as error:
        sys.exit(f"{CHANNEL} was not told: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
