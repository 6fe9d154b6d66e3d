"""`make explain` on ten orders whose stories a stranger understands, and on what cannot be told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.dbt import ga4, shop, tiktok
from tests.dbt.touches import click, person, visit
from tributary.attribution.facts import Rules, find_orders, read_explained, read_rules
from tributary.attribution.shares import WIDTH
from tributary.attribution.story import tell
from tributary.attribution.words import verdict
from tributary.local.explain import main
from tributary.warehouse.settings.files import REFERRERS, TRAFFIC_SOURCES, load_rows
from tributary.warehouse.settings.tables import apply_rows

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt
    from tests.dbt.tiktok import Payload, Row
    from tributary.attribution.facts import Explained, Order

Ask = Callable[..., tuple[int, str]]

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "include" / "config"
PAGE = ROOT / "docs" / "attribution.md"
EXPLAINED = Path(__file__).parent / "explained"
AT = datetime(2026, 9, 10, 16, 30, tzinfo=UTC)
GOOGLE = "https://www.google.com/"
MARTS = (
    "fct_orders",
    "fct_attributed_orders",
    "fct_touchpoints",
    "fct_attribution_ledger",
    "fct_attribution_credits",
    "fct_customer_journeys",
)


def ago(**length: float) -> datetime:
    return AT - timedelta(**length)


def sold(order_id: int, price: str = "120.00", *, at: datetime = AT, **who: object) -> Payload:
    return shop.order(order_id, at.isoformat(), shop.line(order_id * 10, price), total=price, **who)  # type: ignore[arg-type]


def seen(order_id: str, *came: str) -> Row:
    """The session in which GA4 saw an order being placed."""
    names = ("transactionId", "sessionSource", "sessionMedium", "sessionCampaignName")
    dimensions = dict(zip(names, (order_id, *came), strict=True))
    return ga4.other("transactions", "2026-09-10", dimensions, ecommercePurchases="1", purchaseRevenue="120")


SCENARIOS = {
    "a single paid click": "1001",
    "organic after paid": "1002",
    "direct after paid": "1003",
    "a click of eight days ago": "1004",
    "an e-mail and the visit that it led to": "1005",
    "a guest who has an account now": "1006",
    "an order of TikTok Shop": "T1007",
    "only GA4 saw it": "1008",
    "two orders and one journey": "1009",
    "odd tags, a tie, and a click after the order": "1010",
}
ORDERS = [
    sold(1001, "128.40", customer=1),
    sold(1002, customer=2),
    sold(1003, customer=3),
    sold(1004, customer=4),
    sold(1005, "64.90", customer=5),
    sold(2006, "35.00", at=ago(days=3), email="ann@example.com"),
    sold(1006, "210.00", customer=6, email="Ann@example.com"),
    sold(1008, customer=8),
    sold(2009, "80.00", at=ago(days=2), customer=9),
    sold(1009, "100.00", customer=9),
    sold(1010, customer=10),
    # No scenarios: one is not paid, one is here twice, of one nothing is known, one is the copy of what is not here.
    sold(1101, status="PENDING"),
    sold(1102) | {"tags": ["TikTokOrderID:T1007"]},
    sold(1103),
    sold(1104) | {"tags": ["TikTokOrderID:T9"]},
]
TOUCHES = [
    visit(1001, "a", ago(hours=3, minutes=20), "google", "cpc", "brand_us"),
    visit(1002, "b", ago(days=2, hours=3), "facebook", "paid_social", "autumn_jackets"),
    visit(1002, "c", ago(minutes=25), referrer=GOOGLE),
    visit(1003, "d", ago(days=1), page="https://aurora.example/?gclid=x"),
    visit(1003, "e", ago(hours=2), referrer="https://checkout.aurora.example/cart"),
    visit(1003, "f", ago(minutes=4)),
    visit(1004, "g", ago(days=8), "google", "cpc", "brand_us"),
    person("P5", customer=5),
    click("k5", "P5", ago(minutes=50), **{"Campaign Name": "Autumn Sale"}),
    visit(1005, "h", ago(minutes=49, seconds=38), "klaviyo", "email", "autumn_sale"),
    visit(2006, "i", ago(days=3, minutes=30), "tiktok", "paid_social", "tents"),
    visit(1006, "j", ago(hours=1)),
    visit(1009, "l", ago(days=5), "google", "cpc", "brand_us"),
    visit(2009, "l", ago(days=5), "google", "cpc", "brand_us"),
    visit(2009, "m", ago(days=2, minutes=12), referrer="https://www.blog-on-tents.example/best-of"),
    person("P9", customer=9),
    click("k9", "P9", ago(hours=7), metric="Clicked SMS", **{"$flow": "Welcome"}),
    visit(1010, "n", ago(hours=5), "Face%2562ook", "paid_social", "{{campaign.name}}"),
    visit(1010, "o", ago(minutes=30), "bing", None, "sale"),
    visit(1010, "p", ago(minutes=30), "bing", "cpc", "sale"),
    visit(1010, "q", ago(minutes=30), page="https://aurora.example/?fbclid=x"),
    visit(1010, "r", ago(minutes=-4), "google", "cpc", "brand_us"),
    seen("1008", "google", "organic", "(organic)"),
    # Told by no story.
    visit(1104, "s", ago(hours=1), "google", "cpc", "brand_us"),
    # Of an order that has a click as well.
    seen("1001", "google", "cpc", "brand_us"),
    tiktok.order("T1007", "2026-09-10T16:30:00", tiktok.unit("11", "42.00")),
]


@pytest.fixture(scope="module")
def published(conn: Connection, dbt: Dbt, module_warehouse_url: str) -> str:
    """All of it at aurora and some at nordlicht, as people read it."""
    for file in (TRAFFIC_SOURCES, REFERRERS):
        apply_rows(conn, file, load_rows(CONFIG, file, []))
    conn.execute("update ops.merchants set domains = '{aurora.example}' where merchant_id = 'aurora'")
    shop.load(conn, "aurora", *ORDERS)
    shop.load(conn, "nordlicht", sold(1001), sold(1201), sold(1202) | {"name": "#1201"}, sold(1203))
    tiktok.load(conn, "aurora", *TOUCHES)
    assert dbt("run", "--select", "+fct_attribution_credits", "+fct_customer_journeys", "+fct_touchpoints").success
    for mart in MARTS:
        conn.execute(f"create table marts.{mart} as select * from build.{mart}")  # type: ignore[arg-type]
    conn.commit()
    return module_warehouse_url


def in_parts(conn: Connection, order: str) -> tuple[Order, Explained]:
    (one,) = find_orders(conn, order, "aurora")
    explained = read_explained(conn, one)
    conn.rollback()
    assert explained
    return one, explained


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_story_is_told(conn: Connection, scenario: str) -> None:
    story = tell(*in_parts(conn, SCENARIOS[scenario]), read_rules())
    assert story == (EXPLAINED / f"{scenario}.txt").read_text()
    assert max(map(len, story.splitlines())) <= WIDTH


def test_the_page_shows_stories_as_they_are_told() -> None:
    shown = re.findall(r"^```text\n(Order .*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(shown) >= 3
    assert set(shown) <= {path.read_text() for path in EXPLAINED.iterdir()}
    assert {path.stem for path in EXPLAINED.iterdir()} == SCENARIOS.keys()
    assert [scenario for scenario in SCENARIOS if f"| {scenario} |" not in PAGE.read_text()] == []


@pytest.mark.usefixtures("published")
def test_the_questions_of_the_page_are_answered(conn: Connection) -> None:
    questions = re.findall(r"^```sql\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(questions) >= 5
    for question in questions:
        # Asked of all days, since those of the page are counted from today.
        found = conn.execute(question.replace("current_date - 30", "'2026-01-01'")).fetchall()
        assert found, question
    conn.rollback()


@pytest.mark.usefixtures("published")
def test_settings_are_told_as_they_are(conn: Connection) -> None:
    rules = Rules(window_hours=30, half_life_hours=48, first=1, middle=2, last=1)
    story = tell(*in_parts(conn, "1010"), rules)
    assert "(clicks count up to 30 hours before)" in story
    assert "25% to the first, 25% to the last, 50% shared by those between" in story
    assert "half the weight for every 2 days" in story


@pytest.mark.usefixtures("published")
def test_what_no_scenario_has_is_told_too(conn: Connection) -> None:
    copied = tell(*in_parts(conn, "1104"), read_rules())
    assert "Not counted: TikTok Shop sold the order itself, so no click did." in copied
    one, explained = in_parts(conn, "1001")
    left_out = replace(explained.touches[0], rule="excluded_channel", is_kept=False)
    assert verdict(one, left_out, read_rules(), {}) == "Not counted: the settings leave out the channel google_ads."
    nothing = tell(*in_parts(conn, "1103"), read_rules())
    assert "because nothing is known of the way to it: no visit, no click in a message, no session.\n\nEvery" in nothing


@pytest.mark.usefixtures("published")
def test_a_link_cannot_talk_to_the_terminal(conn: Connection) -> None:
    one, explained = in_parts(conn, "1001")
    evil = replace(explained.touches[0], campaign="\x1b[2J\nCredited to evil " + "x" * 300)
    story = tell(one, replace(explained, touches=[evil]), read_rules())
    assert "\x1b" not in story
    assert "\nCredited to evil" not in story
    assert max(map(len, story.splitlines())) <= WIDTH


@pytest.fixture
def ask(published: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs the command; returns how it ended, and what it said."""

    def run(order: str, *options: str, url: str = published) -> tuple[int, str]:
        monkeypatch.setenv("WAREHOUSE_URL", url)
        monkeypatch.setattr("sys.argv", ["explain", f"--order={order}", *options])
        code = main()
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_an_order_is_named_by_id_or_name(ask: Ask) -> None:
    by_id, by_name = ask("1002"), ask(" #1002 ")
    assert by_id == by_name == (0, (EXPLAINED / "organic after paid.txt").read_text())
    # An id comes before the name without its sign.
    assert "Order #1201 of Nordlicht" in ask("1201")[1]


def test_several_orders_are_named_with_the_way_to_choose(ask: Ask) -> None:
    code, said = ask("1001")
    assert code == 1
    assert said == (
        "2 orders have the id or the name '1001'.\n  what to do: Choose one:\n"
        "    make explain ORDER=1001 MERCHANT=aurora CHANNEL=shopify   # #1001, Thu 10 Sep 2026, 12:30, 128.40 USD\n"
        "    make explain ORDER=1001 MERCHANT=nordlicht CHANNEL=shopify   # #1001, Thu 10 Sep 2026, 18:30, 120.00 USD\n"
    )
    assert ask("1001", "--merchant=nordlicht")[0] == 0
    assert "ORDER=1202 MERCHANT=nordlicht" in ask("#1201")[1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([""], "No order is named."),
        (["1001", "--merchant=nobody"], "Name one of those there are (aurora, nordlicht, withtax), or leave it out."),
        (
            ["9999"],
            "(looked at: aurora, published to 2026-09-10, nordlicht, published to 2026-09-10, withtax, not published)",
        ),
        (["1001", "--channel=tiktok_shop", "--merchant=aurora"], "No published order sold through tiktok_shop has"),
        (["' or true --"], 'No published order has the id or the name "\' or true --"'),
    ],
)
def test_what_cannot_be_told_is_said(ask: Ask, asked: list[str], said: str) -> None:
    code, found = ask(*asked)
    assert code == 1
    assert said in found
    assert "\n  what to do: " in found


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ("1101", "because it does not count: its payment status is PENDING."),
        ("1102", "because it does not count: it is the copy of TikTok Shop's order T1007, which counts in its place."),
    ],
)
def test_an_order_that_does_not_count_says_why(ask: Ask, order: str, why: str) -> None:
    code, said = ask(order)
    assert code == 0
    assert f"Credited to nobody\n  {why}" in said


def test_what_is_not_published_yet_is_said(ask: Ask, conn: Connection, postgres_server_url: str) -> None:
    conn.execute("delete from marts.fct_attribution_credits where order_id = '1203'")
    conn.commit()
    for code, said in (ask("1203"), ask("1203", url=postgres_server_url)):
        assert code == 1
        assert "Trigger `transform` with full rebuild" in said


@pytest.mark.parametrize("url", ["postgresql://me:secret@127.0.0.1:1/x", "postgres:secret", "postgresql://a:s%ecret@b"])
def test_a_wrong_address_is_said_without_its_password(ask: Ask, url: str) -> None:
    code, said = ask("1001", url=url)
    assert code == 1
    assert "WAREHOUSE_URL" in said
    assert "ecret" not in said


def test_without_an_installation_the_remedy_is_to_start_one(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUTARY_LOCAL", "/nowhere")
    code, said = ask("1001", url="")
    assert code == 1
    assert said.startswith(
        "Nothing was started here yet, and WAREHOUSE_URL names no warehouse.\n  what to do: Start one"
    )


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("#1002", (EXPLAINED / "organic after paid.txt").read_text()),
        ("`echo 1002`", "No published order has the id or the name '`echo 1002`'"),
        ('"; echo 1002; "', "No published order has the id or the name '\"; echo 1002; \"'"),
    ],
)
def test_make_hands_the_order_over_as_it_is(published: str, order: str, said: str) -> None:
    made = subprocess.run(
        ["make", "--assume-old=.venv/tributary-run", "explain", f"RUN={sys.executable}", f"ORDER={order}"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "plugins", "WAREHOUSE_URL": published},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in made.stdout + made.stderr
