"""Nothing that contracts take for an e-mail address or a telephone number is left in a row that people are shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tributary.quality.failed_rows import masked
from tributary.warehouse.migrate import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

POSIX = {"[^[:space:]]": r"\S", "[:alnum:]": "a-zA-Z0-9", "[:alpha:]": "a-zA-Z"}


def personal_data() -> re.Pattern[str]:
    """The pattern that every mart is searched by."""
    (migration,) = MIGRATIONS.glob("*.search-for-personal-data.sql")
    pattern = migration.read_text().partition("pattern constant text :=")[2].split("'")[1]
    for posix, python in POSIX.items():
        pattern = pattern.replace(posix, python)
    return re.compile(pattern)


PERSONAL = personal_data()
PEOPLE = st.sampled_from(
    ["ada@mail.example", "ada%40mail.example", "a.b+c@x-y.co.uk", "+4915112345678", "+12025550123"]
)
TEXT = st.text(alphabet="ab1+%@.-_ /?=&\"'é,;", max_size=12)


@given(st.lists(TEXT | PEOPLE, max_size=6).map("".join))
def test_nobody_is_left(text: str) -> None:
    assert not PERSONAL.search(masked(text))


@given(TEXT, PEOPLE, TEXT)
def test_the_search_finds_them_before(before: str, person: str, after: str) -> None:
    assert PERSONAL.search(f"{before} {person} {after}")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://shop.example/?email=ada%40mail.example&x=1", "(e-mail address)&x=1"),
        ("/u?of=ada%2540mail.example now", "(e-mail address) now"),
        ("call +4915112345678, or tel=%2B4915112345678", "call (phone number), or tel=(phone number)"),
        ("ada@mail.example,bob@mail.example", "(e-mail address)"),
        ("gid://shop/Order/4915112345678", "gid://shop/Order/4915112345678"),
        ("2026-11-20 10:00:00+00:00", "2026-11-20 10:00:00+00:00"),
        ("@handle", "@handle"),
    ],
)
def test_what_is_left(text: str, left: str) -> None:
    assert masked(text) == left


def test_the_search_knows_every_column_that_can_hold_words(connect: Callable[[], psycopg.Connection]) -> None:
    words = {"a": "text", "b": "varchar(80)", "c": "jsonb", "d": "text[]", "e": "char(80)", "f": "name"}
    conn = connect()
    columns = ", ".join(f'"{name}" {kind}' for name, kind in words.items())
    conn.execute(f"create table build.told (merchant_id text, date_day date, at timestamptz, n numeric, {columns})")
    conn.execute("insert into build.told values ('m', '2026-11-01', now(), 4915112345678)")
    conn.execute("insert into build.told (merchant_id, date_day, a) values ('other', '2026-11-01', 'ada@mail.example')")
    held = "select date_day::text, column_name from ops.personal_data_in('build.told', 'm')"
    assert conn.execute(held).fetchall() == []
    for name, kind in words.items():
        told = {"jsonb": '{"to": "ada@mail.example"}', "text[]": "{x,ada@mail.example}"}.get(kind, "+4915112345678")
        conn.execute(f"update build.told set {name} = %s where merchant_id = 'm'", (told,))
        assert conn.execute(held).fetchall() == [("2026-11-01", name)], kind
        conn.execute(f"update build.told set {name} = null")
