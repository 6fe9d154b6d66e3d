"""What hooks read of their connections' fields, in one way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tributary.channels.connections import numbers, tried

if TYPE_CHECKING:
    from tributary.http import RetryPolicy, Timeouts


@pytest.mark.parametrize(
    ("text", "found"), [("7", ["7"]), (" 7 , 8", ["7", "8"]), ("7110000000000000001", ["7110000000000000001"])]
)
def test_the_numbers_of_accounts_stand_in_one_field(text: str, found: list[str]) -> None:
    assert numbers("ads", "account_ids", text, "the accounts' numbers") == found


def test_a_vendors_own_form_becomes_digits() -> None:
    assert numbers("ads", "account_ids", "act_7, 8", "the accounts' numbers", form="(act_)?[0-9]+") == ["7", "8"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no extra field account_ids; put in the accounts' numbers, with commas"),
        ("7, x9", "the extra field account_ids holds 'x9'; put in the accounts' numbers, with commas"),
        ("7,", "holds ''; put in"),
        ("7, 8, 7", "names 7 twice; name each account once"),
    ],
)
def test_what_is_no_number_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=rf"Connection 'ads'.*{problem}"):
        numbers("ads", "account_ids", text, "the accounts' numbers")


class Api:
    """Something that can be closed."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_a_connection_is_tried_once_and_closed() -> None:
    api, patience = Api(), []

    def make(timeouts: Timeouts, retry: RetryPolicy) -> Api:
        patience.extend([timeouts.total, retry.attempts])
        return api

    assert tried(make, lambda _: (True, "Connected.")) == (True, "Connected.")
    assert (api.is_closed, patience) == (True, [15, 1])


def test_what_is_missing_in_a_connection_is_told() -> None:
    def make(*_: object) -> Api:
        raise ValueError("Connection 'ads' has no password; put in the token.")

    assert tried(make, lambda _: (True, "")) == (False, "Connection 'ads' has no password; put in the token.")


def test_a_warehouse_that_is_away_is_told_and_the_api_closed() -> None:
    api = Api()

    def diagnose(_: Api) -> tuple[bool, str]:
        raise psycopg.OperationalError("connection refused")

    works, told = tried(lambda *_: api, diagnose)
    assert (works, api.is_closed) == (False, True)
    assert told.startswith("The warehouse does not answer")
