"""The signature that every request to TikTok Shop carries."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

UNSIGNED = ("sign", "access_token")


def signature(
    secret: str,
    path: str,
    query: Mapping[str, str] | Sequence[tuple[str, str]],
    body: bytes | None,
    multipart: bool = False,
) -> str:
    """The parameter `sign`, made from decoded query values and the very bytes that are sent as the body."""
    pairs = query.items() if isinstance(query, Mapping) else query
    # Sorting text by code points is sorting its UTF-8 by bytes; a repeated key keeps the order of its values.
    signed = sorted((pair for pair in pairs if pair[0] not in UNSIGNED), key=lambda pair: pair[0])
    text = path + "".join(key + value for key, value in signed)
    content = b"" if body is None or multipart else body
    key = secret.encode()
    return hmac.new(key, key + text.encode() + content + key, hashlib.sha256).hexdigest()
