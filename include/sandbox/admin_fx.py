"""What can be made to happen to the central bank's rates, and the truth of them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from sandbox.admin_request import body, route
from sandbox.business.rates import CURRENCIES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.fx.routes import Ecb


class FxAdmin:
    """Handlers over one bank."""

    def __init__(self, ecb: Ecb) -> None:
        self._ecb = ecb

    def routes(self) -> list[Route]:
        return [route("/fx/rates/{day}", self.rates, "GET", "POST", "DELETE")]

    async def rates(self, request: Request) -> Any:
        """A day's rates as they are shown now (null: none). POST {rates} corrects them, whole; {rates: null} withholds
        them; DELETE makes them what they were."""
        day = date.fromisoformat(request.path_params["day"])
        if request.method == "DELETE":
            self._ecb.changes.pop(day, None)
        elif request.method == "POST":
            rates = (await body(request, {"rates"}))["rates"]
            self._ecb.changes[day] = None if rates is None else {name: _rate(name, rates[name]) for name in rates}
        return {"date": day.isoformat(), "rates": self._ecb.published(day)}


def _rate(currency: str, value: Any) -> str:
    if currency not in CURRENCIES:
        raise ValueError(f"there is no currency {currency!r}; there are {list(CURRENCIES)}")
    try:
        good = isinstance(value, str) and Decimal(value) > 0
    except InvalidOperation:
        good = False
    if not good:
        raise ValueError(f'rate {value!r} of {currency} is not a positive decimal; write it like "1.0873"')
    return str(value)
