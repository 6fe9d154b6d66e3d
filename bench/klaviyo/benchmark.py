"""Events into raw: Tributary and dlt in turn, and the memory that a million of them take."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import psycopg

from bench.common import postgres
from bench.common.processes import Median, PostgresCpu, Run, run_side
from bench.common.report import keep, machine, say, table
from bench.klaviyo.events import END, METRICS, START, Events
from bench.klaviyo.vendor import vendor
from tributary.local.bootstrap import PEERS_VENV, python
from tributary.paths import ROOT

if TYPE_CHECKING:
    from argparse import Namespace

MILLION = 1_000_000
TRIBUTARY = "Tributary, first load"
PEERS = {"dlt, defaults": "default", "dlt, nesting off, csv": "tuned"}
GROWTH, MEGABYTES = 1.1, 150
_RAW = "select record_id as id, payload -> 'event' as event from raw.klaviyo_events"
_PEER = "select id from raw.events"
_SAMPLE = 100


class WrongResultError(RuntimeError):
    """What landed is not what was sent."""


def run(options: Namespace) -> None:
    """Every side, interleaved, in processes and databases of their own."""
    events = Events(options.events)
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    with postgres.server() as server, vendor(events.count) as api:
        where, cpu = machine(server), PostgresCpu(server)
        for number in range(1, options.runs + 1):
            say(f"Run {number} of {options.runs} ...")
            runs[TRIBUTARY].append(_tributary(server, api, events, cpu))
            for name, way in PEERS.items() if not options.without_peers else ():
                runs[name].append(_peer(server, api, events, cpu, way))
    _report(events, where, runs)
    if options.million:
        _memory(runs[TRIBUTARY], events.count)


def _tributary(server: str, api: str, events: Events, cpu: PostgresCpu) -> Run:
    """A first load into an empty warehouse."""
    with postgres.warehouse(server) as url:
        postgres.settle(url)
        took = run_side(sys.executable, "bench.klaviyo.tributary_sync", {"database": url, "api": api}, cpu)
        _expect("what the sync says", (events.count, 0), (took.said["inserted"], took.said["rejected"]))
        _check_ids(url, _RAW, events)
        _check_payloads(url, events)
    return took


def _peer(server: str, api: str, events: Events, cpu: PostgresCpu, way: str) -> Run:
    """Dlt, into an empty database."""
    with postgres.database(server) as url:
        postgres.settle(url)
        window = {"start": START.isoformat(), "end": END.isoformat()}
        asked = {"database": url, "api": api, "metrics": list(METRICS), "way": way, **window}
        took = run_side(python(PEERS_VENV), "bench.klaviyo.dlt_merge", asked, cpu)
        _check_ids(url, _PEER, events)
    return took


def _check_ids(url: str, rows: str, events: Events) -> None:
    with psycopg.connect(url) as conn:
        query = f"select count(*), md5(string_agg(id, ',' order by id collate \"C\")) from ({rows}) as landed"
        _expect(
            "events and the checksum of their ids", (events.count, events.checksum()), conn.execute(query).fetchone()
        )


def _check_payloads(url: str, events: Events) -> None:
    """Some events are what was shown, in every part."""
    numbers = range(0, events.count, max(1, events.count // _SAMPLE))
    sent = [events.document(number) for number in numbers]
    with psycopg.connect(url) as conn:
        query = (
            f"select count(*) from ({_RAW}) as landed inner join unnest(%s::jsonb[]) as sent (event) "
            "on landed.id = sent.event ->> 'id' and landed.event = sent.event"
        )
        _expect("events of a sample", (len(sent),), conn.execute(query, (sent,)).fetchone())


def _expect(what: str, expected: object, found: object) -> None:
    if found != expected:
        raise WrongResultError(f"{what}: {expected} expected, {found} found")


def _report(events: Events, where: dict[str, str], runs: dict[str, list[Run]]) -> None:
    seconds = {name: Median.of(of_side).seconds for name, of_side in runs.items()}
    mine = seconds[TRIBUTARY]
    ratios = {f"{TRIBUTARY} / {peer}": seconds[peer] / mine for peer in PEERS if peer in runs}
    dlt = {str(took.said["dlt"]) for name in PEERS for took in runs.get(name, ())}
    where |= {"dlt": ", ".join(dlt)} if dlt else {}
    size = len(events.document(0))
    say(
        f"\n{events.count:,} events of {size:,} bytes\n" + "; ".join(f"{name} {value}" for name, value in where.items())
    )
    say(f"\n{table(runs, events.count)}\n")
    for what, ratio in ratios.items():
        say(f"{what:<52} {ratio:>6.2f}")
    kept = keep("klaviyo", {"events": events.count, "bytes": size, "machine": where, "ratios": ratios}, runs)
    say(f"\n{kept.relative_to(ROOT)}")


def _memory(runs: list[Run], count: int) -> None:
    """How much more memory the sync of a million takes, from what it held before."""
    with postgres.server() as server, vendor(MILLION) as api:
        large = _tributary(server, api, Events(MILLION), PostgresCpu(server))
    small = Median.of(runs).peak_mb
    growth = large.peak_mb - float(large.said["before_mb"])
    reached = growth < MEGABYTES and large.peak_mb <= GROWTH * small
    say(
        f"\nmemory: peak {small:.0f} MB for {count:,} events, {large.peak_mb:.0f} MB for {MILLION:,} "
        f"({large.seconds:.0f} s, {MILLION / large.seconds / 1000:.1f} k events/s), grown by {growth:.0f} MB; "
        f"goal {GROWTH:g} times as much, grown by less than {MEGABYTES} MB   {'reached' if reached else 'MISSED'}"
    )
