"""What can go wrong with a vendor, split by the one question that matters: may asking again help?"""

from __future__ import annotations

# ruff: noqa: N818 (an error that names what happened needs no suffix)


class HttpError(Exception):
    """Says what happened, where (a redacted address and the vendor's request id) and what to do next."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        """What happened alone, for those who say the rest themselves."""
        place = f" ({where})" if where else ""
        super().__init__(f"{what}{place}. {remedy}".rstrip())


class Transient(HttpError):
    """Asking again may help: the client retries, and Airflow may retry the task."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "", retry_after: float | None = None) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.retry_after = retry_after
        """Seconds that the vendor asked to wait, when it did."""


class RateLimited(Transient):
    """The vendor's quota is used up for now."""


class QuotaSpent(RateLimited):
    """The quota comes back too late to stay for it: nothing is asked until then, and a later run goes on."""


class VendorUnavailable(Transient):
    """No connection, no answer in time, or an answer that blames the vendor itself."""


class BrokenResponse(Transient):
    """An answer that ended early or is not what its format promises."""


class PagingError(Transient):
    """Pages that go in circles; the client has already asked again, so only a later run can help."""


class Fatal(HttpError):
    """Asking again cannot help: a person has to change something first."""


class AuthError(Fatal):
    """The credentials are wrong, expired or lack a permission."""


class RequestRefused(Fatal):
    """The vendor understood the request and refuses it."""
