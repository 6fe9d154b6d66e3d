"""The backfill's forms in a real browser, as an analyst, an engineer and a manager see them; look at the pictures."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions as seen
from selenium.webdriver.support.ui import WebDriverWait

from drills.house import House, go_on
from tributary.local.airflow_api import DONE
from tributary.local.demo import INGESTS
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.remote.webdriver import WebDriver

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
        password = self._house.password(self._user)
        self._opened.get(f"{self._house.road.env['AIRFLOW_URL']}/auth/login")
        self._wait(By.NAME, "username").send_keys(self._user)
        self._opened.find_element(By.NAME, "password").send_keys(password, Keys.ENTER)
        WebDriverWait(self._opened, PATIENCE).until(seen.url_changes(self._opened.current_url))

    def open(self, path: str, *texts: str) -> None:
        """Go there, and wait until it says all of this."""
        self._opened.get(f"{self._house.road.env['AIRFLOW_URL']}/{path}")
        for text in texts:
            self.says(text)

    def says(self, text: str) -> None:
        WebDriverWait(self._opened, PATIENCE).until(lambda page: text in page.find_element(By.TAG_NAME, "body").text)

    def text(self) -> str:
        return self._opened.find_element(By.TAG_NAME, "body").text

    def press(self, label: str) -> None:
        """The last button of that name."""
        path = f"(//button[normalize-space()='{label}' or .//*[normalize-space()='{label}']])[last()]"
        button = WebDriverWait(self._opened, PATIENCE).until(seen.element_to_be_clickable((By.XPATH, path)))
        self._opened.execute_script("arguments[0].click()", button)

    def picture(self, name: str) -> None:
        self._opened.save_screenshot(str(PICTURES / f"{name}.png"))

    def _wait(self, by: str, what: str):  # noqa: ANN202 -- selenium's element
        return WebDriverWait(self._opened, PATIENCE).until(seen.presence_of_element_located((by, what)))
