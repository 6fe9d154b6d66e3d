"""The hook of exchange rates as Airflow sees it: what its connection may say, and its Test button."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from airflow.providers_manager import ProvidersManager

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.fx_road import ROUTE, days
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tributary.channels.fx.api import EcbApi
from tributary.channels.fx.diagnosis import diagnose
from tributary.channels.fx.file import RatesFile
from tributary.channels.fx.hook import FxHook
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Connect = Callable[[str | None], FxHook]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=NOW))) as url:
        yield Sandbox(url)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """A hook over a connection that lives in the environment."""

    def make(host: str | None) -> FxHook:
        monkeypatch.setenv("AIRFLOW_CONN_FX_TEST", json.dumps({"conn_type": "fx", "host": host}))
        return FxHook("fx_test")

    return make


def file_of(path: Path, *lines: str) -> RatesFile:
    path.write_text("\n".join(["Date,USD,CAD,", *lines]))
    return RatesFile(path, lambda: NOW)


def test_making_a_hook_touches_nothing() -> None:
    assert FxHook("no_such_connection").fx_conn_id == "no_such_connection"
    assert FxHook().fx_conn_id == "fx"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "https://data-api.ecb.europa.eu"),
        ("  ", "https://data-api.ecb.europa.eu"),
        ("https://data-api.ecb.europa.eu/", "https://data-api.ecb.europa.eu"),
        (" http://127.0.0.1:8090/ecb ", "http://127.0.0.1:8090/ecb"),
    ],
)
def test_an_address_is_the_banks(host: str | None, url: str, connect: Connect) -> None:
    hook = connect(host)
    api = hook.get_conn()
    assert isinstance(api, EcbApi)
    assert api is hook.get_conn()
    assert api.source == f"the European Central Bank ({url})"
    assert api.base == "EUR"
    api.close()


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("include/sandbox/fx_rates.csv", f"{ROOT}/include/sandbox/fx_rates.csv"),
        (" /somewhere/else/Rates.CSV ", "/somewhere/else/Rates.CSV"),
    ],
)
def test_a_path_is_relative_to_the_repository(host: str, path: str, connect: Connect) -> None:
    api = connect(host).get_conn()
    assert isinstance(api, RatesFile)
    assert api.source == f"the file {path}"
    api.close()


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("file:///rates.csv", "begins with neither https:// nor http://"),
        ("data-api.ecb.europa.eu", "is neither an address nor a path that ends in .csv"),
        (".env", "is neither an address nor a path that ends in .csv"),
    ],
)
def test_what_is_neither_is_refused_with_the_remedy(host: str, why: str, connect: Connect) -> None:
    """No other file is opened: a message about a malformed one shows what is in it."""
    works, message = connect(host).test_connection()
    assert not works
    assert message == (
        f"Connection 'fx_test': the host '{host}' {why}; put in https://data-api.ecb.europa.eu, or the path of a file "
        "of rates such as include/sandbox/fx_rates.csv, or nothing for the ECB."
    )


def test_the_test_button_says_what_the_bank_has(connect: Connect, sandbox: Sandbox) -> None:
    works, message = connect(f"{sandbox.url}/ecb").test_connection()
    assert works
    assert message == (
        f"Connected: the European Central Bank ({sandbox.url}/ecb) quotes 3 currencies for one EUR. "
        "The newest quotation is of 2026-11-19."
    )


def test_the_test_button_warns_of_a_bank_that_has_gone_silent(connect: Connect, sandbox: Sandbox) -> None:
    silent = [*days(date(2026, 11, 14), date(2026, 11, 19))]
    for day in silent:
        sandbox.admin(f"/fx/rates/{day}", {"rates": None})
    works, message = connect(f"{sandbox.url}/ecb").test_connection()
    for day in silent:
        sandbox.admin(f"/fx/rates/{day}", method="DELETE")
    assert works
    assert message.endswith(
        "The newest quotation is of 2026-11-13. That is 7 days ago: days more than 5 days after it have no rates, and "
        "amounts in other currencies are held back until newer ones come."
    )


def test_the_test_button_asks_once(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.fault("http_5xx", None, 0, ROUTE, status=503)
    works, message = connect(f"{sandbox.url}/ecb").test_connection()
    [fault] = sandbox.admin("/faults", method="GET")
    assert (works, fault["hits"]) == (False, 1)
    assert "HTTP 503" in message
    works, message = connect(f"{sandbox.url}/elsewhere").test_connection()
    assert not works
    assert "HTTP 404" in message
    assert "the connection's host is not the ECB's data API" in message


def test_the_test_button_reads_a_file(connect: Connect, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    path = tmp_path / "rates.csv"
    file_of(path, f"{today},1.0873,1.4963,")
    works, message = connect(str(path)).test_connection()
    assert works
    told = f"Connected: the file {path} quotes 2 currencies for one EUR. The newest quotation is of {today}."
    assert message.startswith(told)
    works, message = connect("include/no_such_file.csv").test_connection()
    assert not works
    assert f"{ROOT}/include/no_such_file.csv cannot be read: " in message


def test_a_file_is_judged_by_its_last_quotation(tmp_path: Path) -> None:
    def told(*lines: str) -> tuple[bool, str]:
        return diagnose(file_of(tmp_path / "rates.csv", *lines))

    works, message = told("2026-11-15,1.0873,1.4963,", "2026-11-30,1.1,1.5,")
    assert (works, message.endswith("The newest quotation is of 2026-11-15.")) == (True, True)
    works, message = told("2026-11-14,1.0873,N/A,")
    assert works
    assert "quotes 1 currency for one EUR." in message
    assert "That is 6 days ago" in message
    works, message = told("2026-10-19,1.0873,1.4963,")
    assert not works
    assert message.startswith("No rates: the file ")
    assert message.endswith("rates.csv has no quotation of the last 31 days. Put in newer ones.")
    works, message = told("2026-11-14,1.0873,nothing,")
    assert not works
    assert "rates.csv is malformed: line 2, column CAD: 'nothing' is no positive decimal" in message


def test_the_form_asks_for_the_source_alone() -> None:
    manager = ProvidersManager()
    manager.initialize_providers_hooks()
    behaviour = manager.field_behaviours["fx"]
    assert behaviour["relabeling"] == {"host": "Source"}
    assert set(behaviour["hidden_fields"]) == {"login", "password", "port", "schema", "extra"}
    assert not [name for name in manager.connection_form_widgets if name.startswith("extra__fx__")]
