"""A vendor's bytes, and what of them a jsonb column can hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import msgspec

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)


def neutralised(body: bytes) -> bytes:
    """The body with NUL characters and lone surrogates replaced by U+FFFD, every byte in its old place.

    PostgreSQL refuses both in jsonb, and a lone surrogate keeps the parser from reading the records around it.
    """
    if not _SUSPECT.search(body):
        return body
    clean = _ESCAPE.sub(_replacement, body)
    return body if clean == body else clean


def _replacement(escape: re.Match[bytes]) -> bytes:
    text = escape[0]
    lone_surrogate = len(text) == 6 and text[2] in b"dD" and text[3] in b"89abcdefABCDEF"
    return rb"\ufffd" if lone_surrogate or text == rb"\u0000" else text


def slices(body: bytes, clean: bytes, values: Iterable[msgspec.Raw]) -> Iterator[bytes]:
    """The vendor's own bytes of values that were found, in this order, in the neutralised body."""
    if clean is body:
        yield from map(bytes, values)
        return
    end = 0
    for value in values:
        start = clean.index(value, end)
        end = start + len(bytes(value))
        yield body[start:end]


def refusal(payload: bytes) -> str | None:
    """Why jsonb would not take the payload, or None. Asked of a whole body, it clears every record in it at once."""
    if not payload.isascii():
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            return f"byte {error.start} of the payload is not UTF-8"
    if neutralised(payload) is not payload:
        return r"the payload holds a NUL character (\u0000) or half of a surrogate pair, which jsonb cannot store"
    return None
