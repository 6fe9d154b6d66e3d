"""What a run saw, gathered from the records that its tasks left."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.rows import dict_row

from tributary.quality.finding import IS_THERE
from tributary.quality.incidents.lifecycle import WAS_READ
from tributary.quality.incidents.observation import Key, Observation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    import psycopg

    from tributary.quality.incidents.observation import Run

ENDED_WELL = "The run ended well"

OWNER = "data"
QUOTAS = "quotas"
_UNREAD: Mapping[str, tuple[str, str]] = {
    "": ("sync-failed", "Mend the cause; the next run goes on there."),
    "TooManyDeadLetters": ("dead-letters", "Mend the cause, then replay them with the DAG `dead_letters`."),
    "QuotaSpent": (QUOTAS, "Nothing: the first run after that time goes on there."),
}
"""The runbook and the remedy by the error's type; what asks most of people comes first, and is also any other's."""

_HOLD_NOBODY_BACK = ("marts", "dbt")
"""Datasets that are judged at night, after their publication."""
_PUBLISHING = "transform"
LOOKED_AT = timedelta(days=7)
"""For how long a day in question is waited for, to be built again and judged: as long as monitors look at it."""
_SHOWN = 5

_RESULTS = """
select
    merchant_id, dataset, check_name, column_name, outcome, measured, threshold, remedy, examples, owner, runbook, root,
    schema_name, looks_back
from ops.check_results
where (dag_id, run_id) = (%s, %s)
order by merchant_id, dataset, check_name, check_result_id
"""

# Which days the open incidents of a build's merchants are about, as far as they are still looked at.
_DAYS_IN_QUESTION = """
select incident.merchant_id, incident.dataset, incident.check_name, array_agg(example.row ->> 'date_day')
from ops.incidents as incident
cross join lateral jsonb_array_elements(incident.examples) as example (row)
where incident.status = 'open' and incident.merchant_id = any(%s) and example.row ->> 'date_day' >= %s
group by incident.merchant_id, incident.dataset, incident.check_name
"""

# All syncs of the run are over when it is reported, so one that still runs was killed.
_SYNCS = """
select distinct on (merchant_id, stream)
    merchant_id, stream,
    case when status <> 'succeeded' then coalesce(error, 'It was interrupted before it could end.') end
from ops.syncs
where channel = %s and kind = 'sync' and started_at >= %s
order by merchant_id, stream, started_at desc
"""


def observations_of_run(
    conn: psycopg.Connection,
    run: Run,
    channel: str | None,
    failed_tasks: Sequence[str],
    failed_syncs: Sequence[str] = (),
) -> list[Observation]:
    """Every check of the run, how the channel was read, and whether a task failed that neither of them explains.

    A failed task of `failed_tasks` recorded no reason; each of `failed_syncs` has one when its stream was not read.
    """
    streams = _streams(conn, channel, run.started_at)
    unread = sum(error is not None for errors in streams.values() for error in errors.values())
    unexplained = [*failed_tasks, *(failed_syncs if len(failed_syncs) > unread else ())]
    return [
        *_checks(conn, run),
        *(_reading(Key(merchant_id, str(channel), WAS_READ), errors) for merchant_id, errors in streams.items()),
        _ending(Key(None, run.dag_id, ENDED_WELL), unexplained),
    ]


def headline(observations: Sequence[Observation]) -> str | None:
    """What a run failed of, in one line; None when it is no more than a quota that is spent, or a warning."""
    wrong = [
        f"{key.merchant_id or 'all'}: {key.dataset}: {key.check}"
        for key in (observation.key for observation in observations if _fails_its_run(observation))
    ]
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return f"{'; '.join(wrong[:_SHOWN])}{more}" if wrong else None


def _fails_its_run(observation: Observation) -> bool:
    if observation.key.check == WAS_READ:
        return observation.severity is not None and observation.runbook != QUOTAS
    return observation.severity == "blocking" and observation.root is None


def _checks(conn: psycopg.Connection, run: Run) -> Iterator[Observation]:
    results = conn.cursor(row_factory=dict_row).execute(_RESULTS, (run.dag_id, run.run_id)).fetchall()
    in_question = _days_in_question(conn, {row["merchant_id"] for row in results}, run.started_at)
    built = {name: _days_built(conn, name) for name in {row["schema_name"] for row in results if row["schema_name"]}}
    for row in results:
        key = Key(row["merchant_id"], row["dataset"], row["check_name"])
        if row["outcome"] == "passed":
            days = None if row["looks_back"] else built.get(row["schema_name"])
            unseen = days is not None and in_question.get(key, set()) - days.get(key.merchant_id or "", set())
            yield Observation(key, None, is_partial=bool(unseen))
            continue
        blocks = row["outcome"] != "warned"
        yield Observation(
            key,
            "blocking" if blocks else "warning",
            what=_measured(row),
            remedy=row["remedy"],
            owner=row["owner"],
            runbook=row["runbook"],
            examples=row["examples"],
            holds_back=blocks and key.dataset not in _HOLD_NOBODY_BACK,
            root=Key(key.merchant_id, row["root"], IS_THERE) if row["root"] else None,
        )


def _days_in_question(
    conn: psycopg.Connection, merchants: Collection[str | None], now: datetime
) -> dict[Key, set[str]]:
    rows = conn.execute(_DAYS_IN_QUESTION, (list(merchants), (now - LOOKED_AT).date().isoformat()))
    return {Key(merchant_id, dataset, check): set(days) for merchant_id, dataset, check, days in rows}


def _days_built(conn: psycopg.Connection, schema: str) -> dict[str, set[str]] | None:
    """The days of the build in the schema, by merchant; None where no build is."""
    scope = sql.Identifier(schema, "scope")
    if conn.execute("select to_regclass(%s)", (scope.as_string(),)).fetchone() == (None,):
        return None
    rows = conn.execute(
        sql.SQL("select merchant_id, array_agg(date_day::text) from {} group by merchant_id").format(scope)
    )
    return {merchant_id: set(days) for merchant_id, days in rows}


def _measured(result: Mapping[str, Any]) -> str:
    measured = result["measured"]
    if result["outcome"] == "error":
        words = measured or "it could not be evaluated"
    else:
        words = ", ".join(filter(None, (f"measured {measured}" if measured else None, result["threshold"])))
    return f"{result['column_name']}: {words}" if result["column_name"] else words


def _streams(conn: psycopg.Connection, channel: str | None, since: datetime) -> dict[str, dict[str, str | None]]:
    """Of each merchant the streams that were synced since then, with the error of the latest time."""
    found: dict[str, dict[str, str | None]] = defaultdict(dict)
    for merchant_id, stream, error in conn.execute(_SYNCS, (channel, since)):
        found[merchant_id][stream] = error
    return found


def _reading(key: Key, errors: Mapping[str, str | None]) -> Observation:
    streams: dict[str, list[str]] = defaultdict(list)
    first: dict[str, str] = {}
    for stream, error in errors.items():
        if error is not None:
            # The same error at several streams differs in its place, which stands in parentheses.
            kind = re.sub(r" [(][^()]*[)]", "", error)
            streams[kind].append(stream)
            first.setdefault(kind, error)
    if not first:
        return Observation(key, None)
    runbook, remedy = _worst(first.values())
    return Observation(
        key,
        "warning",
        what="; ".join(f"{', '.join(streams[kind])}: {error}" for kind, error in first.items()),
        remedy=remedy,
        owner=OWNER,
        runbook=runbook,
    )


def _worst(errors: Iterable[str]) -> tuple[str, str]:
    """The runbook and remedy of the error that asks most of people."""
    found = {_UNREAD.get(error.partition(":")[0], _UNREAD[""]) for error in errors}
    return next(known for known in _UNREAD.values() if known in found)


def _ending(key: Key, failed: Sequence[str]) -> Observation:
    if not failed:
        return Observation(key, None)
    more = f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    return Observation(
        key,
        "blocking",
        what=f"failed: {', '.join(failed[:_SHOWN])}{more}",
        remedy="Read the task's log, mend the cause, then clear the task.",
        owner=OWNER,
        runbook="run-failed",
        holds_back=key.dataset == _PUBLISHING,
    )
