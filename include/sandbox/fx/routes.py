"""The ECB's data API below `/ecb`: daily reference rates of the euro as CSV."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.business.rates import BASE, CURRENCIES, FIRST, published_at, quotation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

    from sandbox.world import World

COLUMNS = (
    "KEY", "FREQ", "CURRENCY", "CURRENCY_DENOM", "EXR_TYPE", "EXR_SUFFIX", "TIME_PERIOD", "OBS_VALUE", "OBS_STATUS",
    "OBS_CONF", "OBS_PRE_BREAK", "OBS_COM", "TIME_FORMAT", "BREAKS", "COLLECTION", "COMPILING_ORG", "DISS_ORG",
    "DOM_SER_IDS", "PUBL_ECB", "PUBL_MU", "PUBL_PUBLIC", "UNIT_INDEX_BASE", "COMPILATION", "COVERAGE", "DECIMALS",
    "NAT_TITLE", "SOURCE_AGENCY", "SOURCE_PUB", "TITLE", "TITLE_COMPL", "UNIT", "UNIT_MULT",
)  # fmt: skip
DATA_ONLY = COLUMNS.index("OBS_VALUE") + 1
PARAMETERS = {"startPeriod", "endPeriod", "format", "detail"}
_TITLES = {404: "Not Found", 400: "Bad Request", 406: "Not Acceptable"}


class Refused(Exception):  # noqa: N818 (an answer, not a failure)
    """What the ECB answers instead of data."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Ecb:
    """The bank's rates as they are published by now, and what was changed about them since."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.changes: dict[date, dict[str, str] | None] = {}
        """Day -> its corrected rates, or None where they are withheld."""

    def routes(self) -> list[Route]:
        return [Route("/ecb/service/data/{flow}/{key}", self.data, methods=["GET"])]

    def published(self, day: date) -> dict[str, str] | None:
        """A day's rates as they are shown now, if there are any."""
        if published_at(day) > self._world.now():
            return None
        return self.changes[day] if day in self.changes else quotation(day)

    async def data(self, request: Request) -> Response:
        path = request.url.path
        try:
            text = self._answer(request.path_params["flow"], request.path_params["key"], request.query_params)
        except Refused as refused:
            title, detail = _TITLES[refused.status], str(refused)
            problem = {"type": path, "title": title, "status": refused.status, "detail": detail, "instance": path}
            return JSONResponse(problem, refused.status, media_type="application/problem+json")
        return Response(text, media_type="text/csv", headers={"Content-Disposition": "attachment;filename=data.csv"})

    def _answer(self, flow: str, key: str, query: Mapping[str, str]) -> str:
        currencies = _currencies(flow, key)
        if unknown := set(query) - PARAMETERS:
            raise Refused(400, f"Unknown parameters {sorted(unknown)}; the sandbox knows {sorted(PARAMETERS)}.")
        if query.get("format") != "csvdata":
            raise Refused(406, "The sandbox only speaks format=csvdata.")
        detail = query.get("detail", "full")
        if detail not in ("full", "dataonly"):
            raise Refused(400, f"Invalid value for detail: {detail}")
        today = self._world.now().date()
        first, last = _period(query, "startPeriod", FIRST), _period(query, "endPeriod", today)
        if first > last:
            raise Refused(400, "startPeriod is after endPeriod")
        rows = [row for currency in currencies for row in self._rows(currency, first, min(last, today))]
        if not rows:
            return ""
        text = io.StringIO()
        width = DATA_ONLY if detail == "dataonly" else len(COLUMNS)
        csv.writer(text, lineterminator="\n").writerows(row[:width] for row in [COLUMNS, *rows])
        return text.getvalue()

    def _rows(self, currency: str, first: date, last: date) -> Iterator[tuple[str, ...]]:
        title = f"{currency}/Euro ECB reference exchange rate"
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            rates = self.published(day) or {}
            if currency in rates:
                known = {
                    "KEY": f"EXR.D.{currency}.{BASE}.SP00.A",
                    "FREQ": "D",
                    "CURRENCY": currency,
                    "CURRENCY_DENOM": BASE,
                    "EXR_TYPE": "SP00",
                    "EXR_SUFFIX": "A",
                    "TIME_PERIOD": day.isoformat(),
                    "OBS_VALUE": rates[currency],
                    "OBS_STATUS": "A",
                    "OBS_CONF": "F",
                    "TIME_FORMAT": "P1D",
                    "COLLECTION": "A",
                    "DECIMALS": "5" if currency == "GBP" else "4",
                    "SOURCE_AGENCY": "4F0",
                    "TITLE": title,
                    "TITLE_COMPL": f"ECB reference exchange rate, {currency}/Euro, 2.15 pm (C.E.T.)",
                    "UNIT": currency,
                    "UNIT_MULT": "0",
                }
                yield tuple(known.get(column, "") for column in COLUMNS)


def _currencies(flow: str, key: str) -> list[str]:
    """Which series a key names; no currency is all of them."""
    if flow not in ("EXR", "ECB,EXR", "ECB,EXR,1.0"):
        raise Refused(404, "No results found.")
    parts = key.split(".")
    if len(parts) != 5:
        raise Refused(400, f"The key has {len(parts)} dimensions; the data structure has 5.")
    frequency, currency, *rest = parts
    wanted = currency.split("+") if currency else list(CURRENCIES)
    found = sorted(set(wanted) & set(CURRENCIES))
    if frequency != "D" or rest != [BASE, "SP00", "A"] or not found:
        raise Refused(404, "No results found.")
    return found


def _period(query: Mapping[str, str], name: str, default: date) -> date:
    text = query.get(name)
    if text is None:
        return default
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(400, f"Invalid value for {name}: {text}; the sandbox takes days, such as 2026-11-20.") from None
