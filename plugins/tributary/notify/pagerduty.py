"""PagerDuty's Events API v2: alerts that are opened and ended by a key, so that an event sent twice changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tributary.notify.service import TIMEOUT, NotSentError, unanswered

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Pager:
    """One integration of a PagerDuty service.

    `base_url` is https://events.eu.pagerduty.com for an account in the EU, None for the US.
    """

    routing_key: str = field(repr=False)
    base_url: str | None
    timeout: float = TIMEOUT

    def send(self, dedup_key: str, event: Mapping[str, Any]) -> None:
        """Send an event: its `event_action` is trigger, acknowledge or resolve."""
        from pagerduty import HttpError  # here, because it takes a moment to import and most runs page nobody

        rest = {name: value for name, value in event.items() if name != "event_action"}
        try:
            with self._client() as client:
                client.send_event(event["event_action"], dedup_key=dedup_key, **rest)
        except HttpError as error:
            raise self._refusal(error.response) from None
        except Exception as error:
            raise unanswered(type(error).__name__) from None

    def _client(self) -> Any:
        from pagerduty import EventsApiV2Client

        client: Any = EventsApiV2Client(self.routing_key)
        if self.base_url:
            client._url = self.base_url  # its setter refuses http, which a sandbox on one's own machine speaks
        client.timeout = self.timeout
        # Left alone it repeats a 429 for ever, 5xx six times and a lost connection thrice, sleeping longer each time.
        client.retry = {429: 1}
        client.max_http_attempts = -1
        client.max_network_attempts = 0
        return client

    def _refusal(self, answer: Any) -> NotSentError:
        status = answer.status_code
        if status == 429:
            return NotSentError("HTTP 429", "sent in a later pass", "service")
        if status != 400:
            return unanswered(f"HTTP {status}")
        try:
            why = "; ".join(map(str, answer.json()["errors"])).replace(self.routing_key, "***")[:300]
        except (ValueError, LookupError, TypeError):
            why = "it does not say why"
        return NotSentError("HTTP 400", f"PagerDuty refuses the event or the routing key: {why}", "channel")
