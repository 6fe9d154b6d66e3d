"""What TikTok Shop's refusals mean, by code and message, and what to do about each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.payloads import neutralised
from tributary.http import AuthError, HttpError, RateLimited, RequestRefused, Transient, VendorUnavailable

if TYPE_CHECKING:
    from tributary.http import Response

TOKEN_EXPIRED = 105002
PERMISSION_MISSING = 105005
_PARAMETER = 36009004
_HOUR = 3600.0

AUTHORISE_AGAIN = (
    "Let the seller authorise the app again, and put the new refresh token into the connection's field refresh_token."
)
_UPDATE = "TikTok Shop does not serve this any more, or not in this way; update Tributary."


@dataclass(frozen=True)
class Meaning:
    """The kind of fault, what a person can do, and the seconds to wait where the vendor does not name them."""

    kind: type[HttpError]
    remedy: str = ""
    wait: float | None = None


_CODES = {
    36009002: Meaning(RateLimited, "Too much is asked for at once; lower the connection's field requests_per_second."),
    36009037: Meaning(RateLimited, "A test shop has few requests an hour; run it again in the next one.", wait=_HOUR),
    36009003: Meaning(VendorUnavailable),
    36009007: Meaning(VendorUnavailable),
    TOKEN_EXPIRED: Meaning(AuthError, AUTHORISE_AGAIN),
    PERMISSION_MISSING: Meaning(
        AuthError,
        "Enable the permission package of this address for the app in Partner Center. It counts only once the seller "
        "has authorised the app again; then put the new refresh token into the connection's field refresh_token.",
    ),
    66009315: Meaning(AuthError, "The seller's account may not read this; its owner has to allow it in Seller Center."),
    101000: Meaning(AuthError, "The token is not that of this shop's seller. " + AUTHORISE_AGAIN),
    106001: Meaning(
        AuthError,
        "The connection's password has to be the secret of the app whose key is its login; both stand in Partner "
        "Center.",
    ),
    106013: Meaning(RequestRefused, "This address wants the shop's cipher, which was not sent; update Tributary."),
    36004004: Meaning(AuthError, AUTHORISE_AGAIN),
    36009009: Meaning(RequestRefused, _UPDATE),
    36009010: Meaning(RequestRefused, _UPDATE),
    36009014: Meaning(RequestRefused, _UPDATE),
    36009022: Meaning(RequestRefused, _UPDATE),
    36009023: Meaning(RequestRefused, _UPDATE),
    36009033: Meaning(
        AuthError, "Add this machine's public address to the app's IP allow list in Partner Center, or empty the list."
    ),
    36009043: Meaning(AuthError, "The shop is closed or suspended; reopen it, or take it out of merchants.yaml."),
    36009044: Meaning(AuthError, "The seller is suspended; reopen the account, or take it out of merchants.yaml."),
    12052180: Meaning(RequestRefused, "More than 10,000 products fit one search; narrow its window."),
}

_CLOCK = "Signed requests live from 5 minutes ago to 30 seconds ahead; set this machine's clock (by NTP)."
# One code for many faults; only the message tells them apart. The first that fits counts.
_PARAMETERS = (
    (r"timestamp", Meaning(RequestRefused, _CLOCK)),
    (
        r"shop_?cipher.*not required|not required.*shop_?cipher|unexpected",
        Meaning(RequestRefused, "This address takes no shop cipher, and one was sent; update Tributary."),
    ),
    (r"shop_?cipher", Meaning(AuthError, "The cipher is not one of this authorisation's shops. " + AUTHORISE_AGAIN)),
    (
        r"shop_?id",
        Meaning(AuthError, "Put the id of a shop that this authorisation covers into the connection's field shop_id."),
    ),
    (r"app_?key", Meaning(AuthError, "Put the app's key, as Partner Center shows it, into the connection's login.")),
    (r"access[-_ ]?token", Meaning(AuthError, "The access token is not one of TikTok Shop's. " + AUTHORISE_AGAIN)),
    (r"\bsign(ature)?\b", Meaning(RequestRefused, "The request came without its signature; a proxy may have cut it.")),
    (
        r"page_?(size|token|number)",
        Meaning(
            RequestRefused, "The page is not as this address wants it; a later run starts from the first page again."
        ),
    ),
    (r"version", Meaning(RequestRefused, _UPDATE)),
)


class Envelope(msgspec.Struct):
    """What every answer is wrapped in; success is code 0, whatever the HTTP status says."""

    code: int
    message: str = ""
    request_id: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


ENVELOPE = msgspec.json.Decoder(Envelope)
_REQUEST_ID = re.compile(rb'"request_id"\s*:\s*"([\w.-]{1,80})"')


def explain(response: Response, retry_after: float | None) -> HttpError | None:
    """The exception that an answer stands for; None when it succeeded or is no envelope."""
    try:
        envelope = ENVELOPE.decode(neutralised(response.body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if envelope.code == 0:
        return None
    what = f"{_prefix(envelope.code)}: {envelope.message or 'without a message'}"
    meaning = _meaning(envelope, response)
    if issubclass(meaning.kind, Transient):
        wait = meaning.wait if retry_after is None else retry_after
        return meaning.kind(what, where=place(response), remedy=meaning.remedy, retry_after=wait)
    return meaning.kind(what, where=place(response), remedy=meaning.remedy)


def has_code(error: HttpError, code: int) -> bool:
    """Whether the error is what `explain` made of a refusal with this code."""
    return str(error).startswith(f"{_prefix(code)}: ")


def place(response: Response) -> str:
    """Where the answer came from, with the request id that TikTok's support asks for, even of half an answer."""
    found = _REQUEST_ID.search(response.body)
    if found is None or found[1].decode() in response.where:
        return response.where
    return f"{response.where}, TikTok's request id {found[1].decode()}"


def _prefix(code: int) -> str:
    return f"TikTok Shop refuses with {code}"


def _meaning(envelope: Envelope, response: Response) -> Meaning:
    if envelope.code == _PARAMETER:
        for words, meaning in _PARAMETERS:
            if re.search(words, envelope.message, re.IGNORECASE):
                if words == "timestamp" and "Date" in response.headers:
                    # The answer told the vendor's time, so the next attempt is signed with it.
                    return Meaning(Transient, _CLOCK, wait=0.0)
                return meaning
    return _CODES.get(envelope.code) or _by_status(response.status)


def _by_status(status: int) -> Meaning:
    if status == 429:
        return Meaning(RateLimited)
    if status >= 500:
        return Meaning(VendorUnavailable)
    if status in (401, 403):
        return Meaning(AuthError, "Check the connection's credentials and the app's permissions in Partner Center.")
    return Meaning(RequestRefused, "TikTok Shop's support can say more about this request id.")
