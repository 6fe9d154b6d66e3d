"""What Shopify's errors on HTTP 200 mean, and what to do about each."""

from __future__ import annotations

from typing import Any

import msgspec

from tributary.http import AuthError, HttpError, RateLimited, RequestRefused, VendorUnavailable

CREDENTIALS_REMEDY = (
    "Put the shop's Admin API access token into the connection's password, or the app's client id and secret into "
    "its extra fields."
)
STATUS_REMEDIES = {
    401: CREDENTIALS_REMEDY,
    402: "The shop is frozen for an unpaid bill; its owner has to settle it.",
    403: "The token may not do this; check the app's access scopes and that it is installed in this shop.",
    404: "There is no such shop or API version; the connection's host should read like my-shop.myshopify.com.",
    423: "The shop is locked; its owner has to ask Shopify why.",
}
_REMEDIES = {
    "ACCESS_DENIED": "Grant the app the access scope that is named here, then install it again.",
    "SHOP_INACTIVE": "The shop is closed or paused; reopen it, or take the merchant out of merchants.yaml.",
    "MAX_COST_EXCEEDED": "One page asks for more than the shop allows; lower PAGE_SIZE in channels/shopify.",
    "undefinedField": "This API version has no such field; put a version into the connection that has it.",
}
_VENDOR_FAULTS = {"INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE"}


class GraphQLError(msgspec.Struct):
    """One entry of `errors`."""

    message: str = ""
    extensions: dict[str, Any] = {}


def refused(errors: list[GraphQLError] | str, where: str, throttled_for: float) -> HttpError:
    """The exception that an answer with errors stands for; `throttled_for` is how long its cost takes to fit."""
    if isinstance(errors, str):
        return RequestRefused(f"Shopify refuses: {errors}", where=where, remedy=CREDENTIALS_REMEDY)
    codes = [str(error.extensions.get("code", "")) for error in errors]
    what = "; ".join(f"{code or 'error'}: {error.message}" for code, error in zip(codes, errors, strict=True))
    if "THROTTLED" in codes:
        return RateLimited(what, where=where, remedy="The budget refills by itself.", retry_after=throttled_for)
    remedy = next((_REMEDIES[code] for code in codes if code in _REMEDIES), "")
    if "ACCESS_DENIED" in codes:
        return AuthError(what, where=where, remedy=remedy)
    if _VENDOR_FAULTS.intersection(codes):
        return VendorUnavailable(what, where=where)
    return RequestRefused(what, where=where, remedy=remedy)
