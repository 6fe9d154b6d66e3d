"""What was asked for, checked field against field before anything begins."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, get_args
from zoneinfo import ZoneInfo

from tributary.backfill.errors import Refused
from tributary.backfill.state import Mode
from tributary.warehouse.manifest import read_marts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from tributary.backfill.asking.request import Asked
    from tributary.warehouse.settings.merchants import Merchant

MODES = get_args(Mode)
_LONGEST_REASON, _LONGEST_INCIDENT = 500, 100


@dataclass(frozen=True, slots=True)
class Checked:
    """What was asked for, complete: the models that are published, the channels that are read again."""

    merchants: Sequence[str]
    channels: Sequence[str]
    models: Sequence[str]
    first_day: date | None
    last_day: date | None
    mode: str
    reason: str
    incident: str | None

    @property
    def days(self) -> int:
        """How long the range is."""
        assert self.first_day is not None, "it was checked"
        assert self.last_day is not None, "it was checked"
        return (self.last_day - self.first_day).days + 1


def check(
    asked: Asked, merchants: Sequence[Merchant], known_since: Mapping[str, date], manifest: Path, now: datetime
) -> Checked:
    """Complete it, or raise Refused at its first mistake, which names the field, the value and the remedy.

    :param merchants: All that there are, as their file has them.
    :param known_since: The first day that the warehouse has of each, where that is before the file's.
    """
    mode = str(asked.mode)
    if mode not in MODES:
        raise _mistake("mode", mode, f"Choose one of {', '.join(MODES)}")
    chosen = _merchants(asked.merchants, merchants)
    first_day, last_day = _day("start_date", asked.first_day), _day("end_date", asked.last_day)
    _range(first_day, last_day, chosen, known_since, now)
    return Checked(
        merchants=[merchant.merchant_id for merchant in chosen],
        channels=_channels(asked.channels, chosen, mode),
        models=_models(asked.models, manifest, mode),
        first_day=first_day,
        last_day=last_day,
        mode=mode,
        reason=_reason(asked.reason),
        incident=_incident(asked.incident),
    )


def harmless(asked: Asked, merchants: Sequence[Merchant]) -> Checked:
    """What of a mistaken request may be kept for ever: what is known, and no text in which somebody may be named."""
    chosen = [merchant for merchant in merchants if merchant.merchant_id in asked.merchants]
    channels = {channel for merchant in merchants for channel in merchant.channels}
    return Checked(
        merchants=[merchant.merchant_id for merchant in chosen],
        channels=_known(asked.channels, channels),
        models=[],
        first_day=_day_or_none(asked.first_day),
        last_day=_day_or_none(asked.last_day),
        mode=asked.mode if asked.mode in MODES else "unknown",
        reason=_kept(asked.reason).strip()[:_LONGEST_REASON],
        incident=_kept(asked.incident or "").strip()[:_LONGEST_INCIDENT] or None,
    )


def downstream_marts(manifest: Path, models: Iterable[str]) -> list[str]:
    """The marts among these models and all that are built from them; all marts when none is named."""
    marts = [mart.name for mart in read_marts(manifest)]
    if not (wanted := list(models)):
        return marts
    document = json.loads(manifest.read_text())
    ids = _ids(document)
    names = {model_id: name for name, model_id in ids.items()}
    reached, waiting = set(), [ids[name] for name in wanted]
    while waiting:
        if (model_id := waiting.pop()) not in reached:
            reached.add(model_id)
            waiting.extend(child for child in document["child_map"].get(model_id, ()) if child in names)
    return [mart for mart in marts if ids[mart] in reached]


def _ids(document: Mapping[str, Any]) -> dict[str, str]:
    nodes = document["nodes"].items()
    return {node.get("alias") or node["name"]: key for key, node in nodes if node["resource_type"] == "model"}


def _merchants(asked: Sequence[str], merchants: Sequence[Merchant]) -> list[Merchant]:
    known = {merchant.merchant_id: merchant for merchant in merchants}
    among = f"one or several of {', '.join(known)}"
    if not asked:
        raise Refused("merchants is empty", "nobody's data is asked for", f"Choose {among}.")
    for merchant_id in asked:
        if merchant_id not in known:
            raise _mistake("merchants", merchant_id, f"Choose {among}")
    return [known[merchant_id] for merchant_id in dict.fromkeys(asked)]


def _range(
    first_day: date, last_day: date, chosen: Sequence[Merchant], known_since: Mapping[str, date], now: datetime
) -> None:
    if last_day < first_day:
        remedy = f"Give a day from {first_day} on, or an earlier start_date"
        raise _mistake("end_date", last_day, remedy, f"it is before start_date, {first_day}")
    for merchant in chosen:
        today = now.astimezone(ZoneInfo(merchant.time_zone)).date()
        if last_day > today:
            why = f"it lies in the future: {merchant.merchant_id} has {today} now ({merchant.time_zone})"
            raise _mistake("end_date", last_day, f"Give {today} or an earlier day", why)
        since = min(merchant.history_start, known_since.get(merchant.merchant_id, merchant.history_start))
        if first_day < since:
            why = f"the history of {merchant.merchant_id} begins on {since}"
            raise _mistake("start_date", first_day, f"Give {since} or a later day", why)


def _channels(asked: Sequence[str], chosen: Sequence[Merchant], mode: str) -> list[str]:
    there = list(dict.fromkeys(channel for merchant in chosen for channel in merchant.channels))
    if mode == "rebuild":
        if asked:
            remedy = "Leave channels empty, or choose mode reread"
            raise _mistake("channels", ", ".join(asked), remedy, "mode rebuild asks no vendor")
        return []
    for channel in asked:
        if channel not in there:
            who = ", ".join(merchant.merchant_id for merchant in chosen)
            remedy = f"Choose among {', '.join(there)}, or leave it empty for all of them"
            raise _mistake("channels", channel, remedy, f"of {who} none has it")
    if not there:
        raise Refused("channels is empty", "the merchants have no channel to read again", "Choose mode rebuild.")
    return _known(there, asked) or there


def _models(asked: Sequence[str], manifest: Path, mode: str) -> list[str]:
    if asked and mode == "reread":
        remedy = "Leave models empty, or choose mode rebuild"
        raise _mistake("models", ", ".join(asked), remedy, "what is read again is published in all marts")
    known = _ids(json.loads(manifest.read_text())) if asked else {}
    for model in asked:
        if model not in known:
            raise _mistake("models", model, "Give names as dbt ls shows them, such as fct_orders, or none for all")
    if not (marts := downstream_marts(manifest, asked)):
        remedy = "Choose a mart, or a model that marts are built from"
        raise _mistake("models", ", ".join(asked), remedy, "no mart is built from it, so nothing would be published")
    return marts


def _reason(given: str) -> str:
    reason = given.strip()
    if "@" in reason:
        remedy = "Say it without e-mail addresses and without the character @: the audit keeps it for ever"
        raise Refused("reason names somebody", "it has an @ in it, so its text is not kept", f"{remedy}.")
    if len(reason) < 10:
        raise _mistake("reason", reason, "Say why in 10 characters or more", "it is too short")
    if len(reason) > _LONGEST_REASON:
        raise _mistake("reason", reason, f"Say why in up to {_LONGEST_REASON} characters", "it is too long")
    return reason


def _incident(given: str | None) -> str | None:
    incident = (given or "").strip()
    if "@" in incident:
        remedy = "Give a number or a link without the character @, such as INC-4711: the audit keeps it for ever"
        raise Refused("incident names somebody", "it has an @ in it, so its text is not kept", f"{remedy}.")
    if given and not incident:
        raise _mistake("incident", given, "Give a reference such as INC-4711, or leave it empty", "it is blank")
    if len(incident) > _LONGEST_INCIDENT:
        raise _mistake("incident", incident, f"Give up to {_LONGEST_INCIDENT} characters", "it is too long")
    return incident or None


def _day(field: str, given: date | str | None) -> date:
    if (day := _day_or_none(given)) is None:
        raise _mistake(field, given, "Give a day such as 2026-08-01", "it is no day")
    return day


def _day_or_none(given: date | str | None) -> date | None:
    if isinstance(given, date):
        return given
    try:
        return date.fromisoformat(given or "")
    except ValueError:
        return None


def _known(asked: Iterable[str], known: Iterable[str]) -> list[str]:
    names = set(known)
    return [name for name in dict.fromkeys(asked) if name in names]


def _kept(text: str) -> str:
    return "(not kept: it has an @ in it)" if "@" in text else text


def _mistake(field: str, value: object, remedy: str, why: str = "there is none of that name") -> Refused:
    """What was typed is repeated, but for what may be somebody's address, and not at length."""
    text = _kept("" if value is None else str(value))
    shown = f"{field} is {text[:60] + '...' if len(text) > 60 else text!r}" if text else f"{field} is empty"
    return Refused(shown, why, f"{remedy}.")


def check_words(reason: str, incident: str | None) -> tuple[str, str | None]:
    """The reason and the incident; raises Refused when one of them may not be kept for ever."""
    return _reason(reason), _incident(incident)


def harmless_words(reason: str, incident: str | None) -> tuple[str, str | None]:
    """What of them may be kept of a mistaken request."""
    return _kept(reason)[:_LONGEST_REASON], _kept(incident or "")[:_LONGEST_INCIDENT] or None
