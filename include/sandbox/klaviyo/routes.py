"""Klaviyo's API below `/klaviyo`, with and without the slash that the vendor's paths do not have."""

from __future__ import annotations

import uuid
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from sandbox.business.email_model import OPENED_AT
from sandbox.business.merchants import AURORA
from sandbox.json_paths import encoded
from sandbox.klaviyo import documents, published
from sandbox.klaviyo.access import Access
from sandbox.klaviyo.aggregates import aggregate
from sandbox.klaviyo.asking import Asking
from sandbox.klaviyo.events import Events, page
from sandbox.klaviyo.filters import holds
from sandbox.klaviyo.limits import Limits
from sandbox.klaviyo.pages import asked, cut, links
from sandbox.klaviyo.refusals import CONTENT_TYPE, Refused
from sandbox.klaviyo.reports import report

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from starlette.requests import Request

    from sandbox.business.email import EmailMarketing
    from sandbox.business.email_model import EmailEvent
    from sandbox.klaviyo.published import Endpoint
    from sandbox.shop import Shop
    from sandbox.world import Settings, World

    Handler = Callable[[Asking, "Now"], bytes]

PREFIX = "/klaviyo"


class Now:
    """The account as it stands at this moment."""

    def __init__(self, shop: Shop, at: datetime) -> None:
        self.at = at
        self.marketing: EmailMarketing = shop.email
        self._shop = shop
        self.marketing.advance(at, shop.orders.values())

    def cancelled_at(self, order_id: int) -> datetime | None:
        """When an order was cancelled, or is going to be."""
        order = self._shop.orders.get(order_id)
        happened = order.cancelled_at if order is not None else None
        return happened or self.marketing.cancellations.get(order_id)


class Klaviyo:
    """The account of aurora."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._events = Events()
        self.access = Access()
        self.limits = Limits(world, settings.klaviyo_rate)

    def routes(self) -> list[Route]:
        handlers: dict[Endpoint, Handler] = {
            published.ACCOUNTS: self.accounts,
            published.METRICS: self.metrics,
            published.CAMPAIGNS: self.campaigns,
            published.CAMPAIGN: self.campaigns,
            published.FLOWS: self.flows,
            published.FLOW: self.flows,
            published.PROFILES: self.profiles,
            published.PROFILE: self.profiles,
            published.EVENTS: self.events,
            published.EVENT: self.event,
            published.AGGREGATES: self.aggregates,
            published.CAMPAIGN_VALUES: self.report,
            published.FLOW_VALUES: self.report,
            published.FLOW_SERIES: self.report,
        }
        return [
            Route(PREFIX + endpoint.path + slash, self._answering(endpoint, handler), methods=["GET", "POST"])
            for endpoint, handler in handlers.items()
            for slash in ("", "/")
        ]

    def now(self) -> Now:
        shop = self._world.shop(AURORA.domain)
        assert shop is not None
        return Now(shop, self._world.now())

    def accounts(self, asking: Asking, now: Now) -> bytes:
        one = asking.sparse(documents.account(asking.base, now.marketing.merchant))
        return _document([one], links(asking.base, asking.path, asking.query, None))

    def metrics(self, asking: Asking, now: Now) -> bytes:
        every = [documents.metric(asking.base, one, now.marketing.flows) for one in now.marketing.metrics]

        def own(one: dict[str, Any], field: str) -> Any:
            return one["attributes"]["integration"][field.removeprefix("integration.")]

        return _listed(asking, every, own)

    def campaigns(self, asking: Asking, now: Now) -> bytes:
        by_id = {one.id: one for one in now.marketing.campaigns if one.created_at <= now.at}
        every = {number: documents.campaign(asking.base, one, now.at) for number, one in by_id.items()}

        def own(one: dict[str, Any], field: str) -> Any:
            campaign = by_id[one["id"]]
            if field == "messages.channel":
                return campaign.channel
            if field in ("created_at", "scheduled_at"):
                return getattr(campaign, field)
            return campaign.updated_at(now.at) if field == "updated_at" else _attribute(one, field)

        def messages(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [documents.campaign_message(asking.base, by_id[one["id"]].message, now.at) for one in shown]

        if asking.id:
            one = _the(every, asking.id, "campaign")
            return _single(asking, one, messages([one]) if asking.includes("campaign-messages") else [])
        conditions = asking.conditions()
        if not any(one.field == "messages.channel" for one in conditions):
            detail = "A channel filter is required, like equals(messages.channel,'email')."
            raise Refused(400, detail, parameter="filter")
        archived = any(one.field == "archived" for one in conditions)
        shown = [one for one in every.values() if archived or not one["attributes"]["archived"]]
        return _listed(asking, shown, own, included=messages if asking.includes("campaign-messages") else None)

    def flows(self, asking: Asking, now: Now) -> bytes:
        every = {one.id: documents.flow(asking.base, one, OPENED_AT) for one in now.marketing.flows}
        if asking.id:
            return _single(asking, _the(every, asking.id, "flow"), [])

        def own(one: dict[str, Any], field: str) -> Any:
            return OPENED_AT if field in ("created", "updated") else _attribute(one, field)

        return _listed(asking, list(every.values()), own)

    def profiles(self, asking: Asking, now: Now) -> bytes:
        by_id = {one.id: one for one in now.marketing.shown(now.at)}
        if asking.id:
            found = _the(by_id, asking.id, "profile")
            return _single(asking, _with_more(asking, documents.profile(asking.base, found, now.at)), [])
        moments = {"created": lambda one: one.created_at, "updated": lambda one: one.updated_at(now.at)}
        conditions = asking.conditions()
        # Told first, so that thousands need not become documents.
        chosen = [
            one
            for one in by_id.values()
            if all(holds(c, moments[c.field](one)) for c in conditions if c.field in moments)
        ]
        every = [_with_more(asking, documents.profile(asking.base, one, now.at)) for one in chosen]

        def own(one: dict[str, Any], field: str) -> Any:
            return moments[field](by_id[one["id"]]) if field in moments else _attribute(one, field)

        return _listed(asking, every, own)

    def events(self, asking: Asking, now: Now) -> bytes:
        shown, last = page(now.marketing, now.at, asking.conditions(), asked(asking.query, asking.endpoint))
        rendered = [self._event(asking, event) for event in shown]
        told = links(asking.base, asking.path, asking.query, last)
        included = b',"included":' + encoded(self._included(asking, now, shown)) if "include" in asking.query else b""
        return b'{"data":[' + b",".join(rendered) + b'],"links":' + encoded(told) + included + b"}"

    def event(self, asking: Asking, now: Now) -> bytes:
        event = now.marketing.get(asking.id, now.at)
        if event is None:
            raise _unknown("event", asking.id)
        return _single(asking, documents.event(asking.base, event), self._included(asking, now, [event]))

    def aggregates(self, asking: Asking, now: Now) -> bytes:
        return _answer(asking, aggregate(asking.attributes, now.marketing, now.at), identified=True)

    def report(self, asking: Asking, now: Now) -> bytes:
        return _answer(asking, report(asking.endpoint, asking.attributes, now.marketing, now.at, now.cancelled_at))

    def _event(self, asking: Asking, event: EmailEvent) -> bytes:
        if "fields[event]" in asking.query:
            return encoded(asking.sparse(documents.event(asking.base, event)))
        return self._events.document(asking.base, event)

    def _included(self, asking: Asking, now: Now, shown: list[EmailEvent]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if asking.includes("metric"):
            wanted = {event.metric for event in shown}
            found += [documents.metric(asking.base, one) for one in now.marketing.metrics if one.id in wanted]
        if asking.includes("profile"):
            people = sorted({event.profile for event in shown})
            found += [documents.profile(asking.base, now.marketing.profiles[one], now.at) for one in people]
        return [asking.sparse(one) for one in found]

    def _answering(self, endpoint: Endpoint, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            headers: dict[str, str] = {}
            try:
                if request.method != endpoint.method:
                    raise Refused(405, f"Method {request.method} not allowed.")
                self.access.check(request.headers.get("authorization", ""), endpoint.scope)
                headers = self.limits.take(endpoint.group)
                content = handler(await Asking.of(request, endpoint, PREFIX), self.now())
            except Refused as refused:
                refused.headers |= headers
                return refused.response()
            return Response(content, 200, headers, CONTENT_TYPE)

        return answer


def _the(known: Mapping[str, Any], number: str, kind: str) -> Any:
    if number not in known:
        raise _unknown(kind, number)
    return known[number]


def _unknown(kind: str, number: str) -> Refused:
    return Refused(404, f"A {kind} with id {number} does not exist.", pointer="/data/id")


def _attribute(one: dict[str, Any], field: str) -> Any:
    return one["id"] if field == "id" else one["attributes"].get(field)


def _with_more(asking: Asking, profile: dict[str, Any]) -> dict[str, Any]:
    """`additional-fields` brings what is expensive for the vendor; the sandbox knows nothing there."""
    more = asking.query.get("additional-fields[profile]", "").split(",")
    return {**profile, "attributes": profile["attributes"] | {name: {} for name in more if name}}


def _listed(
    asking: Asking,
    every: list[dict[str, Any]],
    own: Callable[[dict[str, Any], str], Any],
    included: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None,
) -> bytes:
    """One page of the resources that the filter leaves; `own` reads what a filter or a sorting is about."""
    conditions = asking.conditions()
    page = asked(asking.query, asking.endpoint)

    def key(one: dict[str, Any]) -> tuple[str, str]:
        return str(_attribute(one, page.sort) or ""), one["id"]

    found = [one for one in every if all(holds(condition, own(one, condition.field)) for condition in conditions)]
    shown, last = cut(found, page, key)
    told = links(asking.base, asking.path, asking.query, last)
    return _document([asking.sparse(one) for one in shown], told, included(shown) if included else None)


def _document(data: Any, told: dict[str, str], included: list[dict[str, Any]] | None = None) -> bytes:
    document = {"data": data, "links": told}
    return encoded(document if included is None else document | {"included": included})


def _single(asking: Asking, resource: dict[str, Any], included: list[dict[str, Any]]) -> bytes:
    told = {"self": f"{asking.base}{asking.path}"}
    return _document(asking.sparse(resource), told, included if "include" in asking.query else None)


def _answer(asking: Asking, attributes: dict[str, Any], identified: bool = False) -> bytes:
    """The answer to a query that was sent in a body."""
    told = {"self": f"{asking.base}{asking.path}"}
    resource: dict[str, Any] = {"type": asking.endpoint.resource, "attributes": attributes}
    if identified:
        digest = blake2b(encoded(asking.attributes), digest_size=16).digest()
        resource |= {"id": str(uuid.UUID(bytes=digest, version=4)), "links": told}
    return _document(resource, told)
