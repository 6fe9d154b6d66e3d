"""Runs a benchmark by its name: `make bench`, or `python -m bench ingestion --help`."""

from __future__ import annotations

import argparse


def main() -> None:
    """Parse the command line, and import no more than the benchmark that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    benchmarks = parser.add_subparsers(required=True)
    ingestion = benchmarks.add_parser("ingestion", help="orders from an API into raw, beside COPY and dlt")
    ingestion.add_argument("--orders", type=int, default=100_000)
    ingestion.add_argument("--runs", type=int, default=3, help="of each side; their medians count")
    ingestion.add_argument("--without-peers", action="store_true", help="leave out dlt, which takes most of the time")
    ingestion.add_argument("--profile", action="store_true", help="say where the time goes, in a run of its own")
    ingestion.add_argument("--million", action="store_true", help="also measure the memory that a million orders take")
    ingestion.set_defaults(run=_ingestion)
    klaviyo = benchmarks.add_parser("klaviyo", help="Klaviyo's events from an API into raw, beside dlt")
    klaviyo.add_argument("--events", type=int, default=100_000)
    klaviyo.add_argument("--runs", type=int, default=3, help="of each side; their medians count")
    klaviyo.add_argument("--without-peers", action="store_true", help="leave out dlt, which takes most of the time")
    klaviyo.add_argument("--million", action="store_true", help="also measure the memory that a million events take")
    klaviyo.set_defaults(run=_klaviyo)
    marts = benchmarks.add_parser("marts", help="from raw to marts: all days, and those that an hour changes")
    marts.add_argument("--orders", type=int, default=100_000)
    marts.add_argument("--million", action="store_true", help="also a million orders, and how the time grows")
    marts.set_defaults(run=_marts)
    attribution = benchmarks.add_parser(
        "attribution", help="who gets the credit of an order, beside DuckDB's ASOF join"
    )
    attribution.add_argument("--orders", type=int, default=100_000, help="at most; ten thousand are measured always")
    attribution.add_argument("--runs", type=int, default=3, help="of the last click and of DuckDB; their medians count")
    attribution.add_argument("--million", action="store_true", help="also a million orders: fifteen minutes and 20 GB")
    attribution.set_defaults(run=_attribution)
    gate = benchmarks.add_parser("gate", help="all contracts of a merchant, over all days and over those of an hour")
    gate.add_argument("--orders", type=int, default=40_000, help="of all four merchants, over a year")
    gate.set_defaults(run=_gate)
    options = parser.parse_args()
    options.run(options)


def _ingestion(options: argparse.Namespace) -> None:
    from bench.ingestion.benchmark import run

    run(options)


def _klaviyo(options: argparse.Namespace) -> None:
    from bench.klaviyo.benchmark import run

    run(options)


def _marts(options: argparse.Namespace) -> None:
    from bench.marts.benchmark import run

    run(options)


def _attribution(options: argparse.Namespace) -> None:
    from bench.attribution.benchmark import run

    run(options)


def _gate(options: argparse.Namespace) -> None:
    from bench.gate.benchmark import run

    run(options)


if __name__ == "__main__":
    main()
