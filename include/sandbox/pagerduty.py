"""PagerDuty's Events API v2: events open, acknowledge and end alerts by their key; the alerts can be read back."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.clock import iso

if TYPE_CHECKING:
    from starlette.requests import Request

ROUTING_KEY = "5a4db0c5a4db0c5a4db0c5a4db0c0000"
"""Any key of that length opens alerts; this one is for who needs one."""
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
LONGEST_KEY, LONGEST_SUMMARY = 255, 1_024

Alert = dict[str, Any]


class PagerDuty:
    """One account; every routing key is a service of its own."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def routes(self) -> list[Route]:
        return [Route("/pagerduty/v2/enqueue", self.enqueue, methods=["POST"])]

    async def enqueue(self, request: Request) -> Response:
        """202 for every event that is well formed, also for one that changes nothing."""
        try:
            event = json.loads(await request.body())
        except ValueError:
            event = None
        if errors := _errors(event):
            return JSONResponse(
                {"status": "invalid event", "message": "Event object is invalid", "errors": errors}, 400
            )
        key = event.get("dedup_key") or uuid.uuid4().hex
        self._take(event, key)
        return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": key}, 202)

    def _take(self, event: dict[str, Any], key: str) -> None:
        action, now = event["event_action"], iso(datetime.now(UTC))
        which = {"routing_key": event["routing_key"], "dedup_key": key}
        alert = next((a for a in self.alerts if a["status"] != "resolved" and which.items() <= a.items()), None)
        if alert is None:
            if action != "trigger":
                return  # Dropped without a word, as it is when another service's alert has that key.
            alert = {**event["payload"], **which, "links": event.get("links", []), "status": "triggered", "log": []}
            self.alerts.append(alert)
        elif action != "trigger":
            alert["status"] = {"acknowledge": "acknowledged", "resolve": "resolved"}[action]
        alert["log"].append({"event_action": action, "at": now})


def _errors(event: Any) -> list[str]:
    """What PagerDuty would object to."""
    if not isinstance(event, dict):
        return ["JSON is invalid"]
    errors = []
    action, key = event.get("event_action"), event.get("dedup_key")
    if len(str(event.get("routing_key") or "")) != len(ROUTING_KEY):
        errors.append(f"Length of 'routing_key' is incorrect (should be {len(ROUTING_KEY)} characters)")
    if action not in ACTIONS:
        errors.append(f"'event_action' must be one of {', '.join(ACTIONS)}")
    if key is None and action in ACTIONS[1:]:
        errors.append("'dedup_key' is missing or blank")
    if key is not None and (not isinstance(key, str) or len(key) > LONGEST_KEY):
        errors.append(f"'dedup_key' is not a string of at most {LONGEST_KEY} characters")
    return errors + (_payload_errors(event.get("payload")) if action == "trigger" else [])


def _payload_errors(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    errors = [f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not payload.get(name)]
    if len(str(payload.get("summary") or "")) > LONGEST_SUMMARY:
        errors.append(f"'payload.summary' is longer than {LONGEST_SUMMARY} characters")
    if payload.get("severity") not in SEVERITIES:
        errors.append(f"'payload.severity' is invalid (must be one of the following: {', '.join(SEVERITIES)})")
    return errors
