"""Says whether rates can be read, and how new they are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tributary.channels.fx.rates import PATIENCE
from tributary.http import HttpError

if TYPE_CHECKING:
    from tributary.channels.fx.rates import Rates

A_MONTH = timedelta(days=31)


def diagnose(api: Rates) -> tuple[bool, str]:
    """Whether syncs will bring rates, and a message for the person who pressed Test."""
    try:
        today = api.now().date()
        quotations = api.quotations(today - A_MONTH, today + timedelta(days=1))
    except HttpError as error:
        return False, str(error)
    if not quotations:
        return False, f"No rates: {api.source} has no quotation of the last {A_MONTH.days} days. Put in newer ones."
    newest = max(quotations)
    currencies = len(quotations[newest])
    told = (
        f"Connected: {api.source} quotes {currencies} {'currency' if currencies == 1 else 'currencies'} "
        f"for one {api.base}. "
        f"The newest quotation is of {newest}."
    )
    if today - newest > PATIENCE:
        age = (today - newest).days
        told += (
            f" That is {age} days ago: days more than {PATIENCE.days} days after it have no rates, and amounts in "
            "other currencies are held back until newer ones come."
        )
    return True, told
