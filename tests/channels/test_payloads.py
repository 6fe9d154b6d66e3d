"""What jsonb refuses is found, and only that, without moving a byte."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tributary.channels.payloads import neutralised, refusal, slices

# Strings with every kind of trouble: NULs, halves of pairs, whole pairs, backslashes that only look like escapes.
texts = st.lists(
    st.sampled_from(["\x00", "\ud83d", "\ude00", "😀", "\\", "\\u0000", "ud800", '"', "é", "plain", "\n"]), max_size=6
).map("".join)
records = st.dictionaries(texts, st.one_of(texts, st.lists(texts, max_size=3), st.integers()), max_size=4)


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def storable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(storable(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return all(map(storable, value))
    try:
        return not isinstance(value, str) or b"\x00" not in value.encode()
    except UnicodeEncodeError:
        return False


@given(records)
def test_exactly_what_jsonb_refuses_is_found(record: dict[str, Any]) -> None:
    # Two halves that meet become a pair, so the truth is what the text reads as.
    payload = encoded(record)
    assert (refusal(payload) is None) == storable(json.loads(payload))


@given(records)
def test_neutralised_text_is_as_long_and_can_be_read(record: dict[str, Any]) -> None:
    payload = encoded(record)
    clean = neutralised(payload)
    assert len(clean) == len(payload)
    msgspec.json.decode(clean)
    assert refusal(clean) is None
    if storable(json.loads(payload)):
        assert clean is payload


@given(st.lists(records, max_size=6))
def test_slices_are_the_vendors_own_bytes(page: list[dict[str, Any]]) -> None:
    parts = [encoded(record) for record in page]
    body = b'{"nodes": [' + b", ".join(parts) + b"]}"
    clean = neutralised(body)
    nodes = msgspec.json.decode(clean, type=dict[str, list[msgspec.Raw]])["nodes"]
    assert list(slices(body, clean, nodes)) == parts


def test_bytes_that_are_no_text_are_refused_by_position() -> None:
    assert refusal(b'{"name": "\xff"}') == "byte 10 of the payload is not UTF-8"


def test_ordinary_text_of_any_alphabet_passes() -> None:
    assert refusal(json.dumps({"name": "Größe ☂ 😀"}, ensure_ascii=False).encode()) is None
