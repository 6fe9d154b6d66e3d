"""The settings beside the merchants, one CSV file each: read whole, and refused at the first mistake."""

from __future__ import annotations

import csv
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from tributary.channels.marketing import AD_PLATFORMS, MARKETING_CHANNELS, PAID
from tributary.warehouse.settings.merchants import DOMAIN, Merchant, SettingsError, load_merchants

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

_COST = re.compile(r"\d{1,12}(\.\d{1,6})?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST_PROMOTION = timedelta(days=62)

Row = tuple[str | bool | None, ...]


class Cells(NamedTuple):
    """One line of a file, and where it stands, for messages."""

    where: str
    values: Mapping[str, str]

    def wrong(self, column: str, remedy: str) -> SettingsError:
        """The error that names the line, the column, its value and the remedy."""
        return SettingsError(f"{self.where}: {column} is {self.values[column]!r}; {remedy}")


class SettingsFile(NamedTuple):
    """A file and the table it fills: its columns, the first of which are the key, and what a line must be.

    What moves no figure leaves no day to be built again.
    """

    table: str
    columns: tuple[str, ...]
    key: int
    read: Callable[[Cells, Collection[str]], Row]
    moves_figures: bool = True

    @property
    def name(self) -> str:
        return f"{self.table}.csv"


def _product_cost(cells: Cells, merchants: Collection[str]) -> Row:
    values = cells.values
    _check_merchant(cells, merchants)
    if not values["sku"]:
        raise cells.wrong("sku", "write the SKU as the shop has it")
    _day(cells, "valid_from", "it must be the first day of the cost")
    if not _COST.fullmatch(values["unit_cost"]):
        raise cells.wrong("unit_cost", "it must be 0 or more such as 12.50: digits, a point, at most 6 decimals")
    return tuple(values.values())


def _traffic_source(cells: Cells, merchants: Collection[str]) -> Row:
    values = {column: value.lower() for column, value in cells.values.items()}
    for column in ("source", "medium"):
        if not values[column]:
            raise cells.wrong(column, "write a word, or * for any")
    channel, platform = values["channel"], values["ad_platform"]
    if channel not in MARKETING_CHANNELS:
        raise cells.wrong("channel", f"known are {', '.join(MARKETING_CHANNELS)}")
    if values["is_paid"] not in ("true", "false"):
        raise cells.wrong("is_paid", "it must be true or false")
    if channel in PAID and values["is_paid"] == "false":
        raise cells.wrong("is_paid", f"the channel {channel} is paid, so it must be true")
    if platform and platform not in AD_PLATFORMS:
        raise cells.wrong("ad_platform", f"known are {', '.join(AD_PLATFORMS)}; it may be empty")
    if (channel in AD_PLATFORMS or platform) and platform != channel:
        right = channel if channel in AD_PLATFORMS else "empty"
        raise cells.wrong("ad_platform", f"of the channel {channel} it must be {right}")
    return (values["source"], values["medium"], channel, values["is_paid"] == "true", platform or None)


def _referrer(cells: Cells, merchants: Collection[str]) -> Row:
    values = {column: value.lower() for column, value in cells.values.items()}
    domain = values["domain"].removeprefix("www.")
    if not DOMAIN.fullmatch(domain):
        raise cells.wrong("domain", "it must be a host alone, such as google.com")
    for column in ("source", "medium"):
        if not values[column]:
            raise cells.wrong(column, "write the word that tagged links would have")
    return (domain, values["source"], values["medium"])


def _promotion(cells: Cells, merchants: Collection[str]) -> Row:
    values = cells.values
    _check_merchant(cells, merchants)
    first = _day(cells, "starts_on", "it must be the first day of the promotion")
    last = _day(cells, "ends_on", "it must be its last day")
    if last < first:
        raise cells.wrong("ends_on", f"it must not be before starts_on, {first}")
    if last - first >= _LONGEST_PROMOTION:
        raise cells.wrong(
            "ends_on",
            f"a promotion may have {_LONGEST_PROMOTION.days} days, since its days are not judged; correct the year, or "
            "leave out what is how the shop always sells",
        )
    if not values["name"]:
        raise cells.wrong("name", "write what people call the promotion")
    return tuple(values.values())


PRODUCT_COSTS = SettingsFile("product_costs", ("merchant_id", "sku", "valid_from", "unit_cost"), 3, _product_cost)
TRAFFIC_SOURCES = SettingsFile(
    "traffic_sources", ("source", "medium", "channel", "is_paid", "ad_platform"), 2, _traffic_source
)
REFERRERS = SettingsFile("referrers", ("domain", "source", "medium"), 1, _referrer)
PROMOTIONS = SettingsFile(
    "promotions", ("merchant_id", "starts_on", "ends_on", "name"), 3, _promotion, moves_figures=False
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the folder of settings says."""

    merchants: list[Merchant]
    product_costs: list[Row]
    traffic_sources: list[Row]
    referrers: list[Row]
    promotions: list[Row]


def load_all_settings(folder: Path) -> Settings:
    """Read all files of the folder; raises SettingsError at the first mistake."""
    merchants = load_merchants(folder / "merchants.yaml")
    ids = [merchant.merchant_id for merchant in merchants]
    return Settings(
        merchants,
        load_rows(folder, PRODUCT_COSTS, ids),
        load_rows(folder, TRAFFIC_SOURCES, ids),
        load_rows(folder, REFERRERS, ids),
        load_rows(folder, PROMOTIONS, ids),
    )


def load_rows(folder: Path, file: SettingsFile, merchants: Collection[str]) -> list[Row]:
    """The checked rows of one file; raises SettingsError at the first mistake."""
    path = folder / file.name
    lines: dict[Row, int] = {}
    rows = []
    try:
        # A spreadsheet may begin the file with a mark of its encoding, which is no part of the first name.
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            _check_header(path, file, next(reader, []))
            for values in reader:
                if not values:
                    continue
                row = file.read(_cells(path, reader.line_num, file, values), merchants)
                key = row[: file.key]
                if (first := lines.setdefault(key, reader.line_num)) != reader.line_num:
                    named = ", ".join(f"{name} {value!r}" for name, value in zip(file.columns, key, strict=False))
                    raise SettingsError(f"{path}: line {reader.line_num}: {named} is in line {first} too; keep one")
                rows.append(row)
    except FileNotFoundError:
        raise SettingsError(f"{path}: it is missing; create it, at least with {','.join(file.columns)}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: byte {error.start} is no UTF-8; save it as UTF-8") from None
    except csv.Error as error:
        raise SettingsError(f"{path}: line {reader.line_num}: {error}; close each quote that a value opens") from None
    return rows


def _check_header(path: Path, file: SettingsFile, names: list[str]) -> None:
    if tuple(name.strip() for name in names) != file.columns:
        raise SettingsError(
            f"{path}: line 1: the columns are {','.join(names)!r}; they must be {','.join(file.columns)}, separated by "
            "commas"
        )


def _cells(path: Path, line: int, file: SettingsFile, values: list[str]) -> Cells:
    where = f"{path}: line {line}"
    if len(values) != len(file.columns):
        raise SettingsError(
            f"{where}: it has {len(values)} values; it must have {len(file.columns)}: {','.join(file.columns)}"
        )
    cells = Cells(where, {name: value.strip() for name, value in zip(file.columns, values, strict=True)})
    for column, value in cells.values.items():
        if not value.isprintable():
            raise cells.wrong(column, "it has a character that cannot be seen; write it again")
    return cells


def _check_merchant(cells: Cells, merchants: Collection[str]) -> None:
    if cells.values["merchant_id"] not in merchants:
        raise cells.wrong("merchant_id", f"merchants.yaml has {', '.join(merchants)}")


def _day(cells: Cells, column: str, remedy: str) -> date:
    value = cells.values[column]
    with suppress(ValueError):
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
    raise cells.wrong(column, f"{remedy}, such as 2026-08-01")
