"""What every channel's client is composed of: sending, retry, budgets, paging and redaction."""

from __future__ import annotations

from tributary.http.budget import Budget, Quota
from tributary.http.client import HttpClient, Request, Response, Timeouts
from tributary.http.errors import (
    AuthError,
    BrokenResponse,
    Fatal,
    HttpError,
    PagingError,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    Transient,
    VendorUnavailable,
)
from tributary.http.paging import Cut, follow
from tributary.http.redaction import Redactor
from tributary.http.retry import RetryPolicy

__all__ = [
    "AuthError",
    "BrokenResponse",
    "Budget",
    "Cut",
    "Fatal",
    "HttpClient",
    "HttpError",
    "PagingError",
    "Quota",
    "QuotaSpent",
    "RateLimited",
    "Redactor",
    "Request",
    "RequestRefused",
    "Response",
    "RetryPolicy",
    "Timeouts",
    "Transient",
    "VendorUnavailable",
    "follow",
]
