"""What hooks read of their connections' fields, in one way."""

from __future__ import annotations

import pytest

from tributary.channels.connections import numbers


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
