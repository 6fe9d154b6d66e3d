"""What can be made to happen to aurora's website and to Google's answers about it, and the truth of its days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.admin_request import NotThereError, body, route
from sandbox.business.merchants import AURORA
from sandbox.business.money import decimal_text
from sandbox.business.website import TABLES, users

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.business.website import Day, Table
    from sandbox.ga4.service import Service
    from sandbox.world import World

AMOUNTS = ("revenue", "cost")


class WebsiteAdmin:
    """Handlers over one website and the quota of its property."""

    def __init__(self, world: World, ga4: Service) -> None:
        self._world = world
        self._ga4 = ga4

    def routes(self) -> list[Route]:
        website = "/shops/aurora/website"
        return [
            route(website + "/truth", self.truth, "GET"),
            route(website + "/days/{day}/{report}/adjust", self.adjust, "POST"),
            route(website + "/days/{day}/{report}/vanish", self.vanish, "POST"),
            route("/ga4/quota", self.quota, "GET", "POST"),
            route("/ga4/tokens/expire", self.expire, "POST"),
        ]

    async def truth(self, request: Request) -> Any:
        """Every day with its totals, its rows by report and what is wrong with them, as they look now, or with
        `final` in the end; `day` and `report` choose. Amounts are decimal strings."""
        website, query = self._ga4.website(), request.query_params
        today = website.today(self._world.now())
        days = [date.fromisoformat(query["day"])] if "day" in query else _through(website.first_day, today)
        report = query.get("report")
        if report is not None:
            _known(report)
        return {
            day.isoformat(): _told(
                website.final(day) if "final" in query else website.day(day, self._world.now()), report
            )
            for day in days
        }

    async def adjust(self, request: Request) -> Any:
        """{row, counter, by}: a row, named by the list of its keys, has so much more or less from now on."""
        return await self._restate(request, {"row", "counter", "by"})

    async def vanish(self, request: Request) -> Any:
        """{row}: the row, named by the list of its keys, is gone from now on."""
        return await self._restate(request, {"row"})

    async def quota(self, request: Request) -> Any:
        """What is left; POST {hour, project_hour, day} sets the tokens left until they come back, {concurrent} how many
        requests may be under way, {retry_after} what refusals say in that header (null: nothing)."""
        quota = self._ga4.quota
        quota.refill()
        if request.method == "POST":
            asked = await body(request, {*quota.tokens, "concurrent", "retry_after"})
            for name, kind in quota.tokens.items():
                kind.left = int(asked.get(name, kind.left))
            quota.concurrent = int(asked.get("concurrent", quota.concurrent))
            quota.retry_after = asked.get("retry_after", quota.retry_after)
        return {
            **{name: kind.left for name, kind in quota.tokens.items()},
            "concurrent": quota.concurrent,
            "retry_after": quota.retry_after,
            "spent": quota.spent,
            "reports": quota.reports,
            "refused": quota.refused,
        }

    async def expire(self, request: Request) -> Any:
        """Every access token, now."""
        tokens = self._ga4.access.tokens
        expired = len(tokens)
        tokens.update(dict.fromkeys(tokens, self._world.now()))
        return {"expired": expired}

    async def _restate(self, request: Request, fields: set[str]) -> Any:
        asked = await body(request, fields)
        if missing := sorted(fields - set(asked)):
            raise ValueError(f"{missing[0]} is missing; this route takes {sorted(fields)}")
        day, report = request.path_params["day"], _known(request.path_params["report"])
        shop = self._world.shop(AURORA.domain)
        assert shop is not None
        self._world.happen(shop, "restate_website", {"day": day, "report": report, **asked})
        return _told(shop.website.day(date.fromisoformat(day), self._world.now()), report)


def _known(report: str) -> str:
    if report not in TABLES:
        raise NotThereError(f"there is no report {report!r}; there are {sorted(TABLES)}")
    return report


def _told(day: Day, report: str | None) -> dict[str, Any]:
    sessions = list(day.tables["sessions"].values())
    tables = {**day.tables, "sessions": day.listed()}
    return {
        "sessions": sum(figures["sessions"] for figures in sessions),
        "users": users([figures["users"] for figures in sessions]),
        "new_users": users([figures["new_users"] for figures in sessions]),
        "has_data_loss": day.has_other(),
        "is_thresholded": day.is_thresholded,
        "is_sampled": day.is_sampled,
        "reports": {name: _rows(name, table) for name, table in tables.items() if report in (None, name)},
    }


def _rows(name: str, table: Table) -> list[dict[str, Any]]:
    keys = TABLES[name][0]
    return [
        {
            **dict(zip(keys, key, strict=True)),
            **{counter: decimal_text(value) if counter in AMOUNTS else value for counter, value in figures.items()},
        }
        for key, figures in sorted(table.items())
        if any(figures.values())
    ]


def _through(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
