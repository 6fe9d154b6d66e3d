"""What can be made to happen to Meta's answers: calls used up, reports too large, runs that fail, tokens that end."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.admin_request import NotThereError, body, route
from sandbox.meta_ads.access import INVALID
from sandbox.meta_ads.runs import FAILED, SKIPPED, Failure
from sandbox.meta_ads.usage import LIMITS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.meta_ads.service import Service


class MetaAdsAdmin:
    """Handlers over the one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        return [
            route("/meta_ads", self.reset, "DELETE"),
            route("/meta_ads/usage/{account}", self.usage, "GET", "POST"),
            route("/meta_ads/limits", self.limits, "GET", "POST"),
            route("/meta_ads/runs", self.runs, "GET"),
            route("/meta_ads/runs/fail", self.fail, "POST"),
            route("/meta_ads/tokens/{merchant}", self.token, "GET", "POST"),
        ]

    async def reset(self, request: Request) -> Any:
        """Everything that was set here is as it was at the start."""
        self._service.reset()
        return {}

    async def usage(self, request: Request) -> Any:
        """What is used of an account's hour; POST {percent} uses so much of it up, {minutes} sets when it ends,
        {hourly} how many calls it has, {code} what a refusal says, {tells_minutes} whether headers say how long."""
        number, now = request.path_params["account"].removeprefix("act_"), self._service.now()
        accounts = [
            one.account_id for name in self._service.access.tokens for one in self._service.ads(name).accounts("meta")
        ]
        if number not in accounts:
            raise NotThereError(f"there is no account {number!r}; there are {accounts}")
        usage = self._service.usage(number)
        if request.method == "POST":
            asked = await body(request, {"percent", "minutes", "hourly", "code", "tells_minutes"})
            if asked.get("code", usage.code) not in LIMITS:
                raise ValueError(f"{asked['code']} is no rate limit of the vendor's; use one of {list(LIMITS)}")
            usage.code = asked.get("code", usage.code)
            usage.tells_minutes = asked.get("tells_minutes", usage.tells_minutes)
            usage.hourly = int(asked.get("hourly", usage.hourly))
            if "percent" in asked:
                usage.until = now + timedelta(minutes=int(asked.get("minutes", 60)))
                usage.calls = -(-usage.hourly * int(asked["percent"]) // 100)
        return {"percent": usage.percent(now), "minutes": usage.minutes(now), "calls": usage.calls, "code": usage.code}

    async def limits(self, request: Request) -> Any:
        """How large a report may be; POST sets any of the limits, null takes one away."""
        limits = self._service.limits
        if request.method == "POST":
            asked = await body(request, set(asdict(limits)))
            if asked.get("timeout", 100) not in (2, 100):
                raise ValueError(f"timeout {asked['timeout']!r} is no code of the vendor's; use 2 or 100")
            for name, value in asked.items():
                setattr(limits, name, value)
        return asdict(limits)

    async def runs(self, request: Request) -> Any:
        """Every run since the start, the oldest first."""
        return [run.told() | {"polls": run.polls, "rows": len(run.rows)} for run in self._service.runs.known.values()]

    async def fail(self, request: Request) -> Any:
        """{times, status, code, subcode, message}: so many of the next runs end like that."""
        asked = await body(request, {"times", "status", "code", "subcode", "message"})
        times = int(asked.pop("times", 1))
        if asked.get("status", FAILED) not in (FAILED, SKIPPED):
            raise ValueError(f"status {asked['status']!r} is no failure; use {FAILED!r} or {SKIPPED!r}")
        self._service.runs.failing += [Failure(**asked)] * times
        return {"failing": len(self._service.runs.failing)}

    async def token(self, request: Request) -> Any:
        """A merchant's token; POST {invalid} ends it with that subcode (463: it expired; null: it is good again),
        {scopes} sets what it may read, {requires_proof} whether the app insists on appsecret_proof."""
        name, tokens = request.path_params["merchant"], self._service.access.tokens
        if name not in tokens:
            raise NotThereError(f"there is no token of {name!r}; there are {sorted(tokens)}")
        token = tokens[name]
        if request.method == "POST":
            asked = await body(request, {"invalid", "scopes", "requires_proof"})
            if asked.get("invalid") not in (None, *INVALID):
                raise ValueError(f"{asked['invalid']} is no subcode of the vendor's; use one of {sorted(INVALID)}")
            token.invalid = asked.get("invalid", token.invalid)
            token.scopes = tuple(asked.get("scopes", token.scopes))
            token.requires_proof = asked.get("requires_proof", token.requires_proof)
        return {"invalid": token.invalid, "scopes": token.scopes, "requires_proof": token.requires_proof}
