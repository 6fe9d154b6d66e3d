"""What can go wrong between a vendor's page and the marts, in words that a person can act on."""

from __future__ import annotations

# ruff: noqa: N818 (an error that names what happened needs no suffix)


class ConcurrentSync(RuntimeError):
    """Another sync of the same stream moved the checkpoint first; this one wrote nothing of its slice."""


class TooManyDeadLetters(RuntimeError):
    """More records were unacceptable than the stream allows; the good ones landed."""


class WarehouseFull(RuntimeError):
    """The warehouse has no room left; nothing of the slice was written."""


class WarehouseBusy(RuntimeError):
    """Other transactions were in a slice's way each time it was tried; nothing of it was written."""


class WarehouseLost(RuntimeError):
    """The connection to the warehouse broke; what was not committed is undone."""


class UnknownMerchant(RuntimeError):
    """Records name a merchant that the warehouse does not know."""


class StaleBuild(RuntimeError):
    """The build schema holds another build than the one to publish."""


class IncompatibleMart(RuntimeError):
    """A mart's model differs from the published table in a way that only a full rebuild may change."""


class UnpublishableModel(RuntimeError):
    """A mart's model does not declare what publishing needs, or was not built."""
