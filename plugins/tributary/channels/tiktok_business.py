"""What TikTok's Accounts API and its Marketing API answer in: a code and a message around everything, on HTTP 200."""

from __future__ import annotations

import msgspec


class Envelope(msgspec.Struct):
    """What surrounds every answer."""

    code: int
    message: str = ""
    request_id: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_ENVELOPE = msgspec.json.Decoder(Envelope, strict=False)


def envelope(clean: bytes) -> Envelope | None:
    """The answer's envelope; None when the body is none."""
    try:
        return _ENVELOPE.decode(clean)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def located(where: str, request_id: str) -> str:
    """Where an answer came from, with the id that TikTok's support asks for."""
    return f"{where}, TikTok's request id {request_id}" if request_id else where
