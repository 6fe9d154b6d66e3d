"""Hook for exchange rates."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from tributary.channels.connections import address, tried
from tributary.channels.fx.api import HOST, EcbApi, budgets
from tributary.channels.fx.diagnosis import diagnose
from tributary.channels.fx.file import RatesFile
from tributary.channels.fx.refusals import STATUS_REMEDIES
from tributary.http import HttpClient, Redactor, RetryPolicy, Timeouts
from tributary.paths import ROOT

if TYPE_CHECKING:
    from tributary.channels.fx.rates import Rates


class FxHook(BaseHook):
    """
    Reads the exchange rates of each day.

    .. code-block:: python

        rates = FxHook("fx").get_conn()
        rates.quotations(date(2026, 11, 2), date(2026, 11, 6))

    :param fx_conn_id: Airflow connection of type ``fx``: the host is the address of the European Central Bank's data
        API (the default when it is empty), or the path of a file in the form of its ``eurofxref-hist.csv``, relative
        to the repository.
    """

    conn_name_attr = "fx_conn_id"
    default_conn_name = "fx"
    conn_type = "fx"
    hook_name = "Exchange rates"

    def __init__(self, fx_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fx_conn_id = fx_conn_id

    @cached_property
    def client(self) -> Rates:
        """The provider, with the patience of a scheduled sync."""
        return self._rates(Timeouts(), RetryPolicy())

    def get_conn(self) -> Rates:
        """Return the provider (cached)."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection once, quickly, and say how new its rates are."""
        return tried(self._rates, diagnose)

    def _rates(self, timeouts: Timeouts, retry: RetryPolicy) -> Rates:
        host = str(self.get_connection(self.fx_conn_id).host or "").strip() or HOST
        scheme, is_address, _ = host.partition("://")
        if is_address:
            if scheme not in ("http", "https"):
                raise ValueError(self._refusal(host, "begins with neither https:// nor http://"))
            client = HttpClient(
                redact=Redactor([]), budgets=budgets(), remedies=STATUS_REMEDIES, timeouts=timeouts, retry=retry
            )
            return EcbApi(client, address(host))
        # What a file holds is shown where it is malformed; only a table of rates may be.
        if not host.lower().endswith(".csv"):
            raise ValueError(self._refusal(host, "is neither an address nor a path that ends in .csv"))
        return RatesFile(ROOT / host)

    def _refusal(self, host: str, what: str) -> str:
        return (
            f"Connection {self.fx_conn_id!r}: the host {host!r} {what}; put in {HOST}, or the path of a file of rates "
            "such as include/sandbox/fx_rates.csv, or nothing for the ECB."
        )
