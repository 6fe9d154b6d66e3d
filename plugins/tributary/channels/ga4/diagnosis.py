"""Says whether a property can be read, and if not, exactly what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.channels.ga4.records import ONE_DAY
from tributary.channels.ga4.reports import DAYS, REPORTS
from tributary.http import HttpError, RequestRefused

if TYPE_CHECKING:
    from tributary.channels.ga4.api import Ga4Api
    from tributary.channels.ga4.reports import Report


def diagnose(api: Ga4Api) -> tuple[bool, str]:
    """Whether syncs will work, and a message for the person who pressed Test."""
    try:
        # The property's today began at most half a day before or after UTC's; yesterday has begun everywhere.
        answer = api.try_out(DAYS, api.now().date() - ONE_DAY)
        problems = [problem for report in REPORTS if (problem := _problem(api, report))]
    except HttpError as error:
        return False, str(error)
    currency = answer.metadata.get("currencyCode", "not told")
    message = f"Connected to {api.name}: time zone {answer.time_zone}, currency {currency}."
    if problems:
        return False, " ".join([message, *problems])
    left = " and ".join(f"{count:,} {words}" for words, count in api.tokens_left.items())
    message += f" Left are {left}." if left else ""
    return True, message + _restricted(answer.metadata.get("schemaRestrictionResponse"))


def _problem(api: Ga4Api, report: Report) -> str:
    try:
        fields = api.incompatible(report)
    except RequestRefused as error:
        return f"The report {report.name} cannot be asked for: {error}"
    if not fields:
        return ""
    return (
        f"The report {report.name} cannot be asked for: Google Analytics says that {', '.join(fields)} do not go "
        "together with its other fields in this property."
    )


def _restricted(restrictions: object) -> str:
    if not restrictions:
        return ""
    return (
        " The service account's role hides metrics of cost or revenue, which then come as 0: take the restriction away "
        "under Admin, Property access management."
    )
