"""`GET /slack`: the workspace as a person sees it, with PagerDuty's alerts at its end."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from sandbox.pagerduty import PagerDuty
    from sandbox.slack import Slack

EMOJI = {
    "arrow_right": "➡️",
    "hourglass": "⌛",
    "mute": "🔇",
    "rotating_light": "🚨",
    "speaker": "🔈",
    "warning": "⚠️",
    "white_check_mark": "✅",
}
MARKS = [(r"\*([^*\n]+)\*", "b"), (r"_([^_\n]+)_", "i"), (r"~([^~\n]+)~", "s")]
STATUS = {"triggered": "🔴", "acknowledged": "🟡", "resolved": "🟢"}
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Slack and PagerDuty (sandbox)</title><style>
body {{ font: 15px/1.45 Lato, system-ui, sans-serif; color: #1d1c1d; max-width: 60rem; margin: 1rem auto; }}
h1 {{ font-size: 1.2rem; }} h2 {{ font-size: 1rem; border-bottom: 1px solid #ddd; padding: .5rem; }}
article {{ padding: .3rem .5rem .3rem 3.2rem; position: relative; overflow-wrap: anywhere; }}
article::before {{ content: "T"; position: absolute; left: .5rem; width: 2.1rem; line-height: 2.1rem; color: #fff;
  text-align: center; border-radius: 6px; background: #4a154b; font-weight: 700; }}
.thread {{ margin-left: 2.8rem; border-left: 3px solid #ddd; }} .text {{ white-space: pre-wrap; }}
small {{ color: #616061; }} a {{ color: #1264a3; text-decoration: none; }}
code {{ background: #f6f6f6; border: 1px solid #ddd; border-radius: 3px; padding: 0 3px; color: #c01343; }}
.mention {{ background: #fff3c4; border-radius: 3px; }} table {{ border-collapse: collapse; width: 100%; }}
td, th {{ text-align: left; padding: .3rem .5rem; border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }}
</style><h1>Sandbox</h1>{channels}<h2>PagerDuty</h2>{alerts}</html>"""


class SlackPage:
    """The page of one sandbox."""

    def __init__(self, slack: Slack, pagerduty: PagerDuty) -> None:
        self._slack = slack
        self._pagerduty = pagerduty

    def routes(self) -> list[Route]:
        return [Route("/slack", self.page, methods=["GET"])]

    async def page(self, request: Request) -> Response:
        names = dict.fromkeys(message["channel"] for message in self._slack.messages)
        channels = "".join(_channel(name, self._slack.messages) for name in names) or "<p>Nobody has said a word.</p>"
        page = PAGE.format(channels=channels, alerts=_alerts(self._pagerduty.alerts))
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


def _channel(name: str, messages: Iterable[dict[str, Any]]) -> str:
    """Heads with their threads below them, and once more what was broadcast, where it stands in the channel."""
    here = [message for message in messages if message["channel"] == name]
    shown = []
    for message in here:
        if "thread_ts" not in message:
            answers = [other for other in here if other.get("thread_ts") == message["ts"]]
            thread = "".join(_message(answer, "also sent to the channel") for answer in answers)
            shown.append(_message(message) + (f'<div class="thread">{thread}</div>' if thread else ""))
        elif message.get("reply_broadcast"):
            shown.append(_message(message, "replied to a thread"))
    return f"<section><h2># {escape(name)}</h2>{''.join(shown)}</section>"


def _message(message: dict[str, Any], broadcast: str = "") -> str:
    at = datetime.fromtimestamp(float(message["ts"]), UTC)
    said = broadcast if message.get("reply_broadcast") else ""
    edited = " <small>(edited)</small>" if message.get("edited") else ""
    return (
        f"<article><b>tributary</b> <small>{at:%Y-%m-%d %H:%M:%S} UTC {said}</small>"
        f'<div class="text">{rendered(str(message.get("text", "")))}{edited}</div></article>'
    )


def rendered(text: str) -> str:
    """Slack's markup as HTML; whatever is none is text, whatever it looks like."""
    kept: list[str] = []

    def keep(html: str) -> str:
        kept.append(html)
        return f"\ue000{len(kept) - 1}\ue001"

    def angle(match: re.Match[str]) -> str:
        target, _, label = match[1].partition("|")
        if target[:1] in ("!", "#", "@"):
            return keep(f'<span class="mention">@{_text(label or target[1:])}</span>')
        if not re.match(r"(https?://|mailto:)", target):
            return keep(_text(match[0]))
        return keep(f'<a href="{_text(target)}">{_text(label or target)}</a>')

    text = re.sub("[\ue000\ue001]", "", text)
    text = re.sub(r"`([^`\n]+)`", lambda match: keep(f"<code>{_text(match[1])}</code>"), text)
    text = _text(re.sub(r"<([^<>\n]+)>", angle, text))
    text = re.sub(r":([a-z_]+):", lambda match: EMOJI.get(match[1], match[0]), text)
    for pattern, tag in MARKS:
        text = re.sub(rf"(?<!\w){pattern}(?!\w)", rf"<{tag}>\1</{tag}>", text)
    while "\ue000" in text:
        text = re.sub("\ue000(\\d+)\ue001", lambda match: kept[int(match[1])], text)
    return text


def _text(text: str) -> str:
    """Escaped once, however much of it the sender had escaped as Slack asks for."""
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return escape(text)


def _alerts(alerts: Iterable[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{STATUS[alert['status']]} {alert['status']}<td>{escape(str(alert['severity']))}"
        f"<td>{escape(str(alert['summary']))}<td>{escape(alert['dedup_key'])}"
        f"<td>{escape(', '.join(entry['event_action'] + ' ' + entry['at'] for entry in alert['log']))}"
        for alert in alerts
    )
    head = "<tr><th>Status<th>Severity<th>Summary<th>Key<th>Events"
    return f"<table>{head}{rows}</table>" if rows else "<p>No alerts.</p>"
