"""The vendor's check of a signature, over what it received: the raw path, the decoded query and the raw body."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Sequence

UNSIGNED = {"sign", "access_token"}
Query = list[tuple[str, str]]


def decoded(query: bytes) -> Query:
    """The parameters as the server reads them, repeated and empty ones too."""
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def expected(secret: str, path: bytes, query: Sequence[tuple[str, str]], content_type: str, body: bytes) -> str:
    """The signature that this request must carry; the files of a multipart body are not part of it."""
    signed = sorted((pair for pair in query if pair[0] not in UNSIGNED), key=lambda pair: pair[0].encode())
    parameters = "".join(name + value for name, value in signed).encode()
    whole = path + parameters + (b"" if content_type.lower().startswith("multipart/form-data") else body)
    key = secret.encode()
    return hmac.new(key, key + whole + key, hashlib.sha256).hexdigest()


def is_signed(secret: str, path: bytes, query: Sequence[tuple[str, str]], content_type: str, body: bytes) -> bool:
    """Whether the request carries its signature; the comparison takes the same time for every wrong one."""
    given = dict(query).get("sign", "")
    return hmac.compare_digest(given.encode(), expected(secret, path, query, content_type, body).encode())
