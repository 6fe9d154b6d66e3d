"""What the API answers, apart from HTTP: nodes and edges of the graph, as one token sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.business.merchants import MERCHANTS
from sandbox.meta_ads import objects
from sandbox.meta_ads.access import Access, check_scope
from sandbox.meta_ads.insights import report
from sandbox.meta_ads.refusals import Refused, invalid, timed_out, too_much_data, unsupported
from sandbox.meta_ads.runs import Limits, Runs
from sandbox.meta_ads.usage import Usage

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.business.ads import Ads, Campaign
    from sandbox.business.ads_plans import Account
    from sandbox.meta_ads.access import Token
    from sandbox.meta_ads.asking import Asking
    from sandbox.meta_ads.insights import Report
    from sandbox.meta_ads.runs import Run
    from sandbox.world import World

INSIGHTS, MANAGEMENT = "ads_insights", "ads_management"
MOST_IDS = 50


class Service:
    """The accounts of both merchants, how much they were asked, and the runs that are under way."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.reset()

    def reset(self) -> None:
        """As it was at the start: tokens are good, nothing was asked, nothing fails."""
        self.access = Access()
        self.limits = Limits()
        self.runs = Runs()
        self.usages: dict[str, Usage] = {}

    def now(self) -> datetime:
        return self._world.now()

    def ads(self, merchant_id: str) -> Ads:
        domain = next(one.domain for one in MERCHANTS if one.merchant_id == merchant_id)
        shop = self._world.shop(domain)
        assert shop is not None
        return shop.ads

    def usage(self, account_id: str) -> Usage:
        return self.usages.setdefault(account_id, Usage(account_id))

    def answer(self, method: str, path: str, asking: Asking, headers: dict[str, str]) -> dict[str, Any]:
        """`headers` are filled even when the answer is a refusal."""
        token = self.access.check(asking.token, asking.sent.get("appsecret_proof"))
        call = Call(self, token, asking, headers)
        match method, path.strip("/").split("/"):
            case "GET", ["debug_token"]:
                return call.debug_token()
            case "GET", ["me", "permissions"]:
                return {"data": [{"permission": scope, "status": "granted"} for scope in token.scopes]}
            case "GET", ["me", "adaccounts"]:
                return call.accounts()
            case "GET", [""] if asking.sent.get("ids"):
                return call.several()
            case "GET", [node] if node.startswith("act_"):
                return call.account(node)
            case "GET", [node, "campaigns"] if node.startswith("act_"):
                return call.campaigns(node)
            case "GET", [node, "insights"] if node.startswith("act_"):
                return call.insights(node)
            case "POST", [node, "insights"] if node.startswith("act_"):
                return call.start(node)
            case "GET", [node] if node.isdecimal():
                return call.node(node)
            case "GET", [node, "insights"] if node.isdecimal():
                return call.result(node)
        raise Refused(2500, f"Unknown path components: /{path}")


class Call:
    """One request of one token."""

    def __init__(self, service: Service, token: Token, asking: Asking, headers: dict[str, str]) -> None:
        self._service = service
        self._token = token
        self._asking = asking
        self._headers = headers
        self._now = service.now()
        self._ads = service.ads(token.merchant_id)

    def debug_token(self) -> dict[str, Any]:
        asked = self._service.access.known(self._asking.sent.get("input_token", ""))
        if asked is None:
            error = {"code": 190, "message": "Invalid OAuth access token - Cannot parse access token"}
            return {"data": {"error": error, "is_valid": False, "scopes": []}}
        told = {
            "app_id": asked.app_id,
            "type": "SYSTEM_USER",
            "application": asked.merchant_id,
            "expires_at": 0,
            "is_valid": asked.invalid is None,
            "scopes": list(asked.scopes),
        }
        return {"data": told}

    def accounts(self) -> dict[str, Any]:
        check_scope(self._token)
        shown = self._ads.accounts("meta")
        return self._asking.page([objects.account(self._asking, one, self._now) for one in shown])

    def account(self, node: str) -> dict[str, Any]:
        return objects.account(self._asking, self._counted(node, MANAGEMENT), self._now)

    def campaigns(self, node: str) -> dict[str, Any]:
        """Deleted campaigns are no connection of their account, whatever the filter says: they are asked for by id."""
        account = self._counted(node, MANAGEMENT)
        shows = objects.status_filter(self._asking)
        shown = [
            one for one in self._ads.campaigns(account, self._now) if shows(one) and objects.effective(one) != "DELETED"
        ]
        page = self._asking.page([objects.campaign(self._asking, one, account) for one in shown])
        return page | ({"summary": {"total_count": len(shown)}} if self._asking.sent.get("summary") == "true" else {})

    def several(self) -> dict[str, Any]:
        """Campaigns by `ids`; one that is unknown spoils the answer."""
        check_scope(self._token)
        ids = list(dict.fromkeys(self._asking.sent["ids"].split(",")))
        if len(ids) > MOST_IDS:
            raise invalid(f"Too many IDs. Maximum: {MOST_IDS}. Provided: {len(ids)}.")
        known = self._known()
        if unknown := [number for number in ids if number not in known]:
            message = f"(#803) Some of the aliases you requested do not exist: {','.join(unknown)}"
            raise Refused(803, message, status=404)
        for account_id in sorted({known[number][1].account_id for number in ids}):
            self._counted(f"act_{account_id}", MANAGEMENT)
        return {number: objects.campaign(self._asking, *known[number]) for number in ids}

    def node(self, number: str) -> dict[str, Any]:
        """A campaign or a run."""
        run = self._service.runs.find(number, self._token.merchant_id, self._now)
        if run is not None:
            return self._polled(run)
        check_scope(self._token)
        found = self._known().get(number)
        if found is None:
            raise unsupported(number)
        self._counted(f"act_{found[1].account_id}", MANAGEMENT)
        return objects.campaign(self._asking, *found)

    def insights(self, node: str) -> dict[str, Any]:
        account, limits = self._counted(node, INSIGHTS), self._service.limits
        asked = report(self._asking, account, self._now)
        if limits.days is not None and asked.days > limits.days:
            raise timed_out(limits.timeout)
        rows = self._rows(asked)
        if limits.rows is not None and len(rows) > limits.rows:
            raise too_much_data()
        return self._asking.page(rows)

    def start(self, node: str) -> dict[str, Any]:
        asked = report(self._asking, self._counted(node, INSIGHTS), self._now)
        run = self._service.runs.start(self._token.merchant_id, asked, self._now)
        return {"report_run_id": run.id}

    def result(self, number: str) -> dict[str, Any]:
        run = self._service.runs.find(number, self._token.merchant_id, self._now)
        if run is None:
            raise unsupported(number)
        self._counted(f"act_{run.report.account.account_id}", INSIGHTS)
        return self._asking.page(run.result())

    def _polled(self, run: Run) -> dict[str, Any]:
        self._counted(f"act_{run.report.account.account_id}", INSIGHTS)
        run.poll(self._service.limits, self._now, self._rows)
        told = run.told()
        return {name: told[name] for name in dict.fromkeys([*self._asking.fields(told), "id"]) if name in told}

    def _rows(self, asked: Report) -> list[dict[str, Any]]:
        return asked.rows(self._ads, self._now)

    def _known(self) -> dict[str, tuple[Campaign, Account]]:
        return {
            one.campaign_id: (one, account)
            for account in self._ads.accounts("meta")
            for one in self._ads.campaigns(account, self._now)
        }

    def _counted(self, node: str, kind: str) -> Account:
        """The account, one call of which is counted."""
        check_scope(self._token)
        account = self._own(node.removeprefix("act_"))
        usage = self._service.usage(account.account_id)
        try:
            usage.take(self._now)
        finally:
            self._headers.update(usage.headers(self._now, kind))
        return account

    def _own(self, number: str) -> Account:
        for merchant_id in self._service.access.tokens:
            for account in self._service.ads(merchant_id).accounts("meta"):
                if account.account_id == number:
                    if merchant_id == self._token.merchant_id:
                        return account
                    message = "(#200) Ad account owner has NOT grant ads_management or ads_read permission"
                    raise Refused(200, message, status=403)
        raise unsupported(f"act_{number}")
