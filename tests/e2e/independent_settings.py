"""A merchant's settings, read from the files of include/config without anything of the project."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import yaml

CONFIG = Path(__file__).resolve().parents[2] / "include" / "config"


class Channel(NamedTuple):
    """What a source and a medium are."""

    name: str
    is_paid: bool = False
    ad_platform: str | None = None
    is_known: bool = True


@dataclass(frozen=True)
class Settings:
    merchant: str
    currency: str
    zone: ZoneInfo
    includes_tax: bool
    domains: tuple[str, ...]
    costs: dict[str, dict[date, Fraction]]
    """SKU -> since when -> what a unit costs."""
    channels: dict[tuple[str, str], Channel]
    referrers: dict[str, tuple[str, str]]

    @classmethod
    def of(cls, merchant: str, config: Path = CONFIG) -> Settings:
        """As the files say now."""
        merchants = yaml.safe_load((config / "merchants.yaml").read_text())["merchants"]
        told = next(one for one in merchants if one["merchant_id"] == merchant)
        costs: dict[str, dict[date, Fraction]] = {}
        for row in _rows(config / "product_costs.csv"):
            if row["merchant_id"] == merchant:
                costs.setdefault(row["sku"], {})[date.fromisoformat(row["valid_from"])] = Fraction(row["unit_cost"])
        return cls(
            merchant,
            told["currency"],
            ZoneInfo(told["time_zone"]),
            told["revenue_includes_tax"],
            tuple(told.get("domains", ())),
            costs,
            {
                (row["source"], row["medium"]): Channel(
                    row["channel"], row["is_paid"].lower() == "true", row["ad_platform"] or None
                )
                for row in _rows(config / "traffic_sources.csv")
            },
            {row["domain"]: (row["source"], row["medium"]) for row in _rows(config / "referrers.csv")},
        )

    def unit_cost(self, sku: str, on: date) -> Fraction | None:
        """The newest cost that is valid on that day."""
        known = self.costs.get(sku, {})
        return known[max(days)] if (days := [day for day in known if day <= on]) else None

    def channel(self, source: str, medium: str) -> Channel:
        """The taxonomy's word: both exact, else the source, else the medium."""
        found = (self.channels.get(key) for key in ((source, medium), (source, "*"), ("*", medium)))
        return next((channel for channel in found if channel), Channel("other", is_known=False))

    def referred(self, host: str) -> tuple[str, str]:
        """Source and medium of a referrer, by the longest suffix that is known."""
        host = host.lower().removeprefix("www.")
        parts = host.split(".")
        suffixes = [".".join(parts[number:]) for number in range(len(parts))]
        if any(suffix in self.domains for suffix in suffixes):
            return "direct", "none"
        return next((self.referrers[one] for one in suffixes if one in self.referrers), (host, "referral"))


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))
