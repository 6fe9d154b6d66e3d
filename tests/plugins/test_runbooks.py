"""The runbooks as a message's link opens them, in Airflow's api-server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml
from fastapi import FastAPI
from starlette.testclient import TestClient

from runbooks import INDEX, RUNBOOKS, RunbooksPlugin
from tributary.paths import MART_CONTRACTS, RAW_CONTRACTS

if TYPE_CHECKING:
    from pathlib import Path

NAMES = sorted({path.stem for path in RUNBOOKS.glob("*.md")} - {INDEX.stem})


@pytest.fixture(scope="module")
def browser() -> TestClient:
    """Of an application that mounts plugins as the api-server does."""
    server = FastAPI()
    for mounted in RunbooksPlugin.fastapi_apps:
        server.mount(mounted["url_prefix"], mounted["app"])
    return TestClient(server)


def links(html: str) -> list[str]:
    return [link for link in re.findall(r'href="([^"]+)"', html) if not link.startswith(("http", "#"))]


def test_the_index_leads_to_every_runbook(browser: TestClient) -> None:
    page = browser.get("/runbooks")
    assert sorted({link.removesuffix(".md") for link in links(page.text)}) == NAMES
    for name in links(page.text):
        assert browser.get(str(page.url.join(name))).status_code == 200


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_is_shown_and_its_links_lead_somewhere(browser: TestClient, name: str) -> None:
    page = browser.get(f"/runbooks/{name}")
    title = (RUNBOOKS / f"{name}.md").read_text().partition("\n")[0].removeprefix("# ")
    assert re.search(r"<h1>(.+)</h1>", page.text)
    assert f"<title>{title}" in page.text.replace("&#x27;", "'").replace("&amp;", "&")
    for link in links(page.text):
        assert browser.get(str(page.url.join(link))).status_code == 200, link


def test_what_is_no_runbook_is_not_served(browser: TestClient) -> None:
    for name in ("nothing", "..%2f..%2f.env.example", "%2e%2e%2fREADME.md"):
        assert browser.get(f"/runbooks/{name}").status_code == 404
    assert "held-back-merchant" in browser.get("/runbooks/nothing").json()["detail"]


def contracts() -> list[Path]:
    return [*RAW_CONTRACTS.glob("*.yml"), *MART_CONTRACTS.glob("*.yml")]


def test_every_runbook_that_a_contract_names_exists() -> None:
    named = {
        value
        for path in contracts()
        for value in re.findall(r"runbook: ([a-z-]+)", yaml.dump(yaml.safe_load(path.read_text())))
    }
    assert named
    assert named <= set(NAMES)
