"""What Meta's usage headers say: how much of a quota is used, and when there is some again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

T = TypeVar("T")

FULL = 95.0
"""Percent of a quota: from here on nothing more is asked, because a refused request counts too."""
A_WHILE = 15 * 60.0
"""Seconds to wait where Meta names no time: its quotas are counted over an hour that rolls on."""
_MINUTE = 60.0


class Pause(NamedTuple):
    """For how long nothing may be asked, and why."""

    is_told: bool
    """Whether Meta says so; else it is a guess, which counts for less."""
    seconds: float
    reason: str


class _Use(msgspec.Struct):
    """One kind of requests (`ads_insights`, `ads_management`) of one account."""

    type: str = "requests"
    call_count: float = 0
    total_cputime: float = 0
    total_time: float = 0
    estimated_time_to_regain_access: float = 0
    """Minutes."""


class _Throttle(msgspec.Struct):
    app_id_util_pct: float = 0
    acc_id_util_pct: float = 0


class _AccountUse(msgspec.Struct):
    acc_id_util_pct: float = 0
    reset_time_duration: float = 0
    """Seconds."""


_USES = msgspec.json.Decoder(dict[str, list[_Use]], strict=False)
_THROTTLE = msgspec.json.Decoder(_Throttle, strict=False)
_ACCOUNT_USE = msgspec.json.Decoder(_AccountUse, strict=False)


def pause(headers: Mapping[str, str]) -> Pause | None:
    """The longest pause that an answer's headers ask for, if any of them does."""
    found = [*_by_use_case(headers), *_by_insights(headers), *_by_account(headers)]
    return max(found, default=None)


def _by_use_case(headers: Mapping[str, str]) -> Iterator[Pause]:
    by_account: dict[str, list[_Use]] = _read(headers, "X-Business-Use-Case-Usage", _USES) or {}
    for uses in by_account.values():
        for use in uses:
            used = max(use.call_count, use.total_cputime, use.total_time)
            what = f"Meta says that {used:g}% of what {use.type} allows is used"
            if use.estimated_time_to_regain_access > 0:
                yield Pause(True, use.estimated_time_to_regain_access * _MINUTE, what)
            elif used >= FULL:
                yield Pause(False, A_WHILE, what)


def _by_insights(headers: Mapping[str, str]) -> Iterator[Pause]:
    throttle: _Throttle | None = _read(headers, "x-fb-ads-insights-throttle", _THROTTLE)
    if throttle is None:
        return
    for used, whose in ((throttle.app_id_util_pct, "the app"), (throttle.acc_id_util_pct, "the ad account")):
        if used >= FULL:
            yield Pause(False, A_WHILE, f"Meta says that {used:g}% of the insights that {whose} may ask for are used")


def _by_account(headers: Mapping[str, str]) -> Iterator[Pause]:
    account: _AccountUse | None = _read(headers, "X-Ad-Account-Usage", _ACCOUNT_USE)
    if account is not None and account.acc_id_util_pct >= FULL:
        what = f"Meta says that {account.acc_id_util_pct:g}% of the ad account's calls are used"
        yield Pause(account.reset_time_duration > 0, account.reset_time_duration or A_WHILE, what)


def _read(headers: Mapping[str, str], name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
    """A header; None when it is absent, or is not what Meta describes: then a refusal will have to tell."""
    try:
        return decoder.decode(headers.get(name) or "")
    except msgspec.DecodeError:
        return None
