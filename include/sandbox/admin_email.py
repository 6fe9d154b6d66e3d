"""What can be made to happen to aurora's account at Klaviyo, and the truth of its events and messages."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.admin_request import NotThereError, body, route
from sandbox.business.email_model import METRIC_IDS, PLACED_ORDER
from sandbox.business.email_values import WINDOW, Tally, deeds, statistics
from sandbox.business.merchants import AURORA
from sandbox.clock import iso, parse_instant
from sandbox.klaviyo.access import SCOPES
from sandbox.klaviyo.limits import SECONDS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.business.email_model import EmailEvent, Message
    from sandbox.klaviyo.routes import Klaviyo, Now
    from sandbox.world import World

EVER = datetime.min.replace(tzinfo=UTC)


class EmailAdmin:
    """Handlers over the one account."""

    def __init__(self, world: World, klaviyo: Klaviyo) -> None:
        self._world = world
        self._klaviyo = klaviyo

    def routes(self) -> list[Route]:
        return [
            route("/klaviyo/events", self.events, "GET", "POST"),
            route("/klaviyo/metrics", self.metric, "POST"),
            route("/klaviyo/values", self.values, "GET"),
            route("/klaviyo/campaigns/{id}", self.campaign, "POST"),
            route("/klaviyo/messages/{id}/conversions", self.conversions, "POST"),
            route("/klaviyo/messages/{id}/vanish", self.vanish, "POST"),
            route("/klaviyo/limits", self.limits, "GET", "DELETE"),
            route("/klaviyo/limits/{group}", self.limit, "POST"),
            route("/klaviyo/limits/{group}/exhaust", self.exhaust, "POST"),
            route("/klaviyo/key", self.key, "GET", "POST"),
        ]

    async def events(self, request: Request) -> Any:
        """GET: every event with the time from which it is shown, those of the near future too; POST: {metric, profile,
        datetime, visible_at?, message?, sent_at?, properties?}: one more. `metric` is a name or an id."""
        now = self._klaviyo.now()
        names = {metric.id: metric.name for metric in now.marketing.metrics}
        if request.method == "GET":
            return [_event(event, names, now) for event in now.marketing.between("")]
        known = {"metric", "profile", "datetime", "visible_at", "message", "sent_at", "properties"}
        asked = await body(request, known)
        asked["metric"] = METRIC_IDS.get(asked["metric"], asked["metric"])
        for name in ("datetime", "visible_at", "sent_at"):
            if name in asked:
                asked[name] = parse_instant(asked[name]).isoformat()
        if asked["metric"] not in names:
            raise ValueError(f"there is no metric {asked['metric']!r}; there are {sorted(names.values())}")
        if asked["profile"] not in now.marketing.profiles:
            raise ValueError(f"there is no profile {asked['profile']!r}")
        if "message" in asked:
            self._message(now, asked["message"])
        number = len(now.marketing.between(""))
        planted = self._happen("plant_email_event", {**asked, "number": number})
        return _event(planted, names, now)

    async def metric(self, request: Request) -> Any:
        """{id, name, integration}: one more metric, of the same name as another perhaps."""
        asked = await body(request, {"id", "name", "integration"})
        self._happen("add_email_metric", asked)
        return asked

    async def values(self, request: Request) -> Any:
        """What each message achieved, by the date of its sending: as of now, and when nothing will change any more."""
        now = self._klaviyo.now()
        return {"now": _values(now, now.at), "final": _values(now, now.at + WINDOW + timedelta(days=1))}

    async def campaign(self, request: Request) -> Any:
        """{name}: from now on the campaign is called so."""
        now, asked = self._klaviyo.now(), await body(request, {"name"})
        if request.path_params["id"] not in {one.id for one in now.marketing.campaigns}:
            raise NotThereError(f"there is no campaign {request.path_params['id']}")
        self._happen("rename_campaign", {"campaign": request.path_params["id"], "name": str(asked["name"])})
        return asked

    async def conversions(self, request: Request) -> Any:
        """{count, value, date?}: so many more conversions (or fewer), and so much more value, from now on. A flow's
        message needs the date of sending."""
        now, asked = self._klaviyo.now(), await body(request, {"count", "value", "date"})
        message = self._message(now, request.path_params["id"])
        day = self._day(message, asked)
        cents = round(float(asked.get("value", 0)) * 100)
        adjusted = {"message": message.id, "date": day, "count": int(asked["count"]), "cents": cents}
        self._happen("adjust_conversions", adjusted)
        return adjusted

    async def vanish(self, request: Request) -> Any:
        """{date}: nothing that was sent that day is reported any more."""
        now, asked = self._klaviyo.now(), await body(request, {"date"})
        message = self._message(now, request.path_params["id"])
        gone = {"message": message.id, "date": date.fromisoformat(asked["date"]).isoformat()}
        self._happen("vanish_message_day", gone)
        return gone

    async def limits(self, request: Request) -> Any:
        """How often each group of endpoints may be asked; DELETE: as the vendor has it, and nothing used."""
        if request.method == "DELETE":
            self._klaviyo.limits.reset()
        return {
            name: {
                window: {"limit": limit, "used": group.counted[window].used} for window, limit in group.limits.items()
            }
            for name, group in self._klaviyo.limits.groups.items()
        }

    async def limit(self, request: Request) -> Any:
        """{burst, steady, daily}: other limits for a group."""
        asked = await body(request, set(SECONDS))
        group = self._group(request)
        self._klaviyo.limits.change(group, {name: int(limit) for name, limit in asked.items()})
        return (await self.limits(request))[group]

    async def exhaust(self, request: Request) -> Any:
        """{window: "daily", retry_after: false}: nothing is left of it, and refusals do not say until when."""
        asked = await body(request, {"window", "retry_after"})
        group, window = self._group(request), asked.get("window", "daily")
        if window not in self._klaviyo.limits.groups[group].limits:
            raise ValueError(f"{group} has no window {window!r}")
        self._klaviyo.limits.exhaust(group, window, not asked.get("retry_after", True))
        return (await self.limits(request))[group]

    async def key(self, request: Request) -> Any:
        """{revoked}, {scopes}: whether the key is good, and what it may read; {} restores everything."""
        access = self._klaviyo.access
        if request.method == "POST":
            asked = await body(request, {"revoked", "scopes"})
            access.revoked = bool(asked.get("revoked", False))
            access.scopes = frozenset(asked.get("scopes", SCOPES))
        return {"revoked": access.revoked, "scopes": sorted(access.scopes)}

    def _happen(self, kind: str, data: dict[str, Any]) -> Any:
        shop = self._world.shop(AURORA.domain)
        assert shop is not None
        return self._world.happen(shop, kind, data)

    def _group(self, request: Request) -> str:
        group = str(request.path_params["group"])
        if group not in self._klaviyo.limits.groups:
            raise NotThereError(f"there is no group {group!r}; there are {sorted(self._klaviyo.limits.groups)}")
        return group

    def _message(self, now: Now, number: str) -> Message:
        messages = now.marketing.messages()
        if number not in messages:
            raise NotThereError(f"there is no message {number!r}")
        return messages[number]

    def _day(self, message: Message, asked: dict[str, Any]) -> str | None:
        if message.flow is None:
            return None
        if "date" not in asked:
            raise ValueError("a flow's message is sent every day: say which `date`")
        return date.fromisoformat(asked["date"]).isoformat()


def _event(event: EmailEvent, names: dict[str, str], now: Now) -> dict[str, Any]:
    cancelled_at = now.cancelled_at(event.order_id) if event.order_id else None
    return {
        "id": event.id,
        "metric": names[event.metric],
        "metric_id": event.metric,
        "profile": event.profile,
        "datetime": iso(event.at),
        "visible_at": iso(event.visible_at),
        "message": event.message.id if event.message else None,
        "sent_at": iso(event.sent_at) if event.sent_at else None,
        "value": event.properties.get("$value"),
        "order": event.order_id,
        "cancelled_at": iso(cancelled_at) if cancelled_at else None,
    }


def _values(now: Now, as_of: datetime) -> list[dict[str, Any]]:
    tallies: dict[tuple[Message, date], Tally] = defaultdict(Tally)
    zone = now.marketing.merchant.zone
    every = deeds(now.marketing, as_of, METRIC_IDS[PLACED_ORDER], EVER, now.at, now.cancelled_at)
    for deed in every:
        tallies[deed.message, deed.sent_at.astimezone(zone).date()].add(deed)
    return [
        {
            "kind": "campaign" if message.campaign else "flow",
            "id": message.campaign.id if message.campaign else message.flow.id if message.flow else None,
            "message": message.id,
            "channel": message.channel,
            "date": day.isoformat(),
            **statistics(tally, message.channel),
        }
        for (message, day), tally in sorted(tallies.items(), key=lambda one: (one[0][1], one[0][0].id))
    ]
