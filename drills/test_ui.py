"""The backfill's forms in a real browser, as an analyst, an engineer and a manager see them; look at the pictures."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions as seen
from selenium.webdriver.support.ui import WebDriverWait

from drills.house import go_on
from tests.e2e.conftest import until
from tributary.local.airflow_api import DONE
from tributary.local.demo import INGESTS
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from selenium.webdriver.remote.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

    from drills.house import House

pytestmark = pytest.mark.timeout(1800)

PICTURES = ROOT / ".local-drill" / "pictures"
PATIENCE = 60


@pytest.fixture(scope="session", autouse=True)
def quiet(house: House) -> Iterator[None]:
    """The schedules rest, so that nothing but these forms moves a figure."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with house.road.paused(*INGESTS, "transform", "housekeeping"):
        yield


@contextmanager
def browser(house: House, user: str) -> Iterator[Page]:
    """Somebody who has signed in."""
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    assert chromium, "make ui needs Chromium or Chrome"
    assert driver, "make ui needs the browser's chromedriver"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1500,1900", "--no-proxy-server"):
        options.add_argument(argument)
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    try:
        page = Page(house, opened, user)
        page.sign_in()
        yield page
    finally:
        opened.quit()


class Page:
    """A browser's window."""

    def __init__(self, house: House, opened: WebDriver, user: str) -> None:
        self._house = house
        self._opened = opened
        self._user = user

    def sign_in(self) -> None:
        self._opened.get(f"{self._house.road.env['AIRFLOW_URL']}/auth/login")
        self._there(By.NAME, "username").send_keys(self._user)
        self._there(By.NAME, "password").send_keys(self._house.password(self._user), Keys.ENTER)
        self._until(lambda page: "/auth/" not in page.current_url)

    def open(self, path: str, *texts: str) -> None:
        """Go there, and wait until it says all of this."""
        self._opened.get(f"{self._house.road.env['AIRFLOW_URL']}/{path}")
        for text in texts:
            self.says(text)

    def says(self, text: str) -> None:
        self._until(lambda page: text in page.find_element(By.TAG_NAME, "body").text)

    def fill_in(self, form: Mapping[str, str]) -> None:
        """Open the form of the backfill, and fill it in as a person does: choices are typed and taken with Enter."""
        self.open("dags/backfill")
        self.press("[data-testid='trigger-dag-button']")
        for name, value in form.items():
            field = self._there(By.NAME, f"element_{name}")
            if name in CHOICES:
                field.find_element(By.XPATH, "./preceding::input[@type='text'][1]").send_keys(value, Keys.ENTER)
            elif name.endswith("_date"):
                field.send_keys(datetime.fromisoformat(value).strftime("%m%d%Y"))
            else:
                field.send_keys(value)

    def really(self) -> None:
        """Not as a dry run."""
        box = self._opened.find_element(By.NAME, "element_dry_run")
        self._opened.execute_script("arguments[0].click()", box)

    def trigger(self) -> str:
        """Send the form; returns the run."""
        known = self._runs()
        self.press("//div[@role='dialog']//button[normalize-space()='Trigger']", By.XPATH)
        return str(until(lambda: (sorted(self._runs() - known) or [None])[0], "the run"))

    def press(self, what: str, by: str = By.CSS_SELECTOR) -> None:
        button = WebDriverWait(self._opened, PATIENCE).until(seen.element_to_be_clickable((by, what)))
        self._opened.execute_script("arguments[0].click()", button)

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self._opened.save_screenshot(str(PICTURES / f"{name}.png"))

    def _runs(self) -> set[str]:
        return {run["dag_run_id"] for run in self._house.road.airflow.call("GET", "dags/backfill/dagRuns")["dag_runs"]}

    def _there(self, by: str, what: str) -> WebElement:
        return WebDriverWait(self._opened, PATIENCE).until(seen.presence_of_element_located((by, what)))

    def _until(self, holds: Callable[[WebDriver], bool]) -> None:
        WebDriverWait(self._opened, PATIENCE).until(holds)


CHOICES = ("merchants", "channels", "models", "mode")


def form(house: House, days: int) -> dict[str, str]:
    """What somebody fills in who has mended a model."""
    last = house.today() - timedelta(days=3)
    return {
        "merchants": "aurora",
        "start_date": str(last - timedelta(days=days - 1)),
        "end_date": str(last),
        "mode": "Build again",
        "reason": "the model of revenue was mended",
    }


def test_an_analyst_is_refused_and_told_why(house: House) -> None:
    with browser(house, "analyst") as page:
        page.fill_in(form(house, 3))
        page.picture("1 analyst fills in the form")
        run_id = page.trigger()
        house.until(run_id, lambda: house.state(run_id) in DONE, go_on)
        page.open(f"dags/backfill/runs/{run_id}", "request")
        page.picture("2 analyst's run")
        page.open(f"dags/backfill/runs/{run_id}/tasks/request", "Refused")
        page.picture("3 analyst is refused")
    assert house.audit(run_id)[0] == "refused"


def test_an_engineer_asks_a_manager_sees_the_difference_and_approves(house: House) -> None:
    house.corrupt()
    with browser(house, "engineer") as page:
        page.fill_in(form(house, 8))
        page.really()
        page.picture("4 engineer fills in the form")
        run_id = page.trigger()
        house.waiting(run_id)
        page.open("", "is being reprocessed")
        page.picture("5 home page while it waits")
        page.open(f"dags/backfill/runs/{run_id}", "approve")
        page.picture("6 engineer's run waits")
    with browser(house, "manager") as page:
        page.open("required_actions", "aurora")
        page.picture("7 manager's required actions")
        page.open(f"dags/backfill/runs/{run_id}/tasks/approve/required_actions", "Approve", "moves")
        page.picture("8 manager sees the difference")
        page.press("//button[normalize-space()='Approve']", By.XPATH)
        house.until(run_id, lambda: house.state(run_id) in DONE, go_on)
        assert house.audit(run_id) == ("published", None)
        page.open(f"dags/backfill/runs/{run_id}", "publish")
        page.picture("9 published")
    with browser(house, "engineer") as page:
        page.open("dags/backfill", "backfill")
        page.picture("10 all runs")
        page.open("runbooks/backfill_process", "Take it back")
        page.picture("11 runbook")
