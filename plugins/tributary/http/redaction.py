"""One way to make text fit for logs and exceptions."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"
BODY_EXCERPT = 300
"""How much of a response body an error may show, in characters."""

_QUERY = re.compile(r"\?[^\s?\"'<>()]*=[^\s\"'<>()]*")
_USER_INFO = re.compile(r"//[^/\s@]*@")
_SCHEME = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_NAMED = re.compile(
    r"""(?ix) ( (?:token|secret|password|api-?_?key|authorization|signature) ["']? \s*[:=]\s* )
              ( "[^"]*" | '[^']*' | [^\s,;&}]+ )"""
)


class Redactor:
    """Masks the secrets it knows, and whatever is shaped or named like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Learns a secret that came later, such as a fresh access token, in every form it may be printed."""
        if secret:
            self._secrets |= {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._known = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        """The text without secrets, query strings or user names in addresses."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        text = _QUERY.sub(f"?{MASK}", text)
        text = _USER_INFO.sub(f"//{MASK}@", text)
        text = _SCHEME.sub(rf"\g<1> {MASK}", text)
        return _NAMED.sub(rf"\g<1>{MASK}", text)

    def body(self, raw: bytes) -> str:
        """The beginning of a response body; masked before it is cut, lest the cut spares half a secret."""
        text = " ".join(self(raw.decode(errors="replace")).split())
        return text if len(text) <= BODY_EXCERPT else f"{text[:BODY_EXCERPT]} ..."


def _mask_query_strings(record: logging.LogRecord) -> bool:
    record.msg = _QUERY.sub(f"?{MASK}", record.getMessage())
    record.args = None
    return True


# urllib3 writes every path with its query string at debug level, and some vendors want signatures there.
logging.getLogger("urllib3.connectionpool").addFilter(_mask_query_strings)
