"""A request's parameters, wherever it sends them, and the pieces that several of Meta's endpoints read alike."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from sandbox.meta_ads.refusals import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request

PAGE = 25
LONGEST_PAGE = 5_000


@dataclass(slots=True)
class Asking:
    """One request."""

    url: str
    """Without its query."""
    token: str | None
    sent: dict[str, str]

    @classmethod
    async def of(cls, request: Request) -> Asking:
        """The query and an HTML form or a JSON object in the body say the same things."""
        sent = dict(request.query_params)
        if request.method == "POST":
            sent |= _form(await request.body(), request.headers.get("content-type", ""))
        scheme, _, header = request.headers.get("authorization", "").partition(" ")
        in_header = header if scheme in ("Bearer", "OAuth") else None
        return cls(str(request.url.replace(query="")), sent.get("access_token") or in_header, sent)

    def json(self, name: str, kind: type, what: str) -> Any:
        """A parameter that is JSON, or None when it is not sent."""
        if name not in self.sent:
            return None
        try:
            value = json.loads(self.sent[name])
        except ValueError:
            value = None
        if not isinstance(value, kind):
            raise invalid(f"param {name} must be {what}.")
        return value

    def fields(self, default: Iterable[str]) -> list[str]:
        """What is asked for of each object: names between commas, or a JSON array of them."""
        text = self.sent.get("fields", "").strip()
        names = self.json("fields", list, "an array") if text.startswith("[") else text.split(",")
        return [str(name).strip() for name in names if str(name).strip()] or list(default)

    def page(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """One page of the rows as they are now: cursors are places in the list, so what is gone shifts the rest."""
        limit = self._number("limit", PAGE)
        if limit > LONGEST_PAGE:
            raise Refused(1, "Please reduce the amount of data you're asking for, then retry your request", status=500)
        first = _place(self.sent["after"]) if self.sent.get("after") else 0
        shown = list(rows[first : first + limit])
        if not shown:
            return {"data": []}
        last = first + len(shown)
        paging: dict[str, Any] = {"cursors": {"before": _cursor(first), "after": _cursor(last)}}
        if last < len(rows):
            following = self.sent | {"access_token": self.token, "after": _cursor(last)}
            paging["next"] = f"{self.url}?{urlencode(following)}"
        return {"data": shown, "paging": paging}

    def _number(self, name: str, default: int) -> int:
        text = self.sent.get(name, str(default))
        if not text.isdecimal() or int(text) < 1:
            raise invalid(f"param {name} must be a positive integer.")
        return int(text)


def _form(raw: bytes, content_type: str) -> dict[str, str]:
    if not content_type.startswith("application/json"):
        return dict(parse_qsl(raw.decode(), keep_blank_values=True))
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object.")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}


def _cursor(place: int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=") + "ZD"


def _place(cursor: str) -> int:
    text = cursor.removesuffix("ZD")
    try:
        return int(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        raise invalid("Invalid cursor value for param after.") from None
