"""What a run saw, check by check: what incidents are opened, repeated and resolved by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

Severity = Literal["blocking", "warning"]


class Key(NamedTuple):
    """What an incident is about."""

    merchant_id: str | None
    """None: no merchant alone, as a run that failed."""
    dataset: str
    check: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One check of one dataset and merchant, as a run saw it."""

    key: Key
    severity: Severity | None
    """None: it was well."""
    what: str = ""
    """What was measured, in words."""
    remedy: str | None = None
    owner: str | None = None
    runbook: str | None = None
    """The file's name in docs/runbooks, without .md."""
    examples: Sequence[Mapping[str, str]] = field(default=())
    holds_back: bool = False
    """Whether the merchant's readers (or, without a merchant, all) see nothing new because of it."""
    is_partial: bool = False
    """Well, but without days that an open incident names: nothing is over by it."""
    root: Key | None = None
    """The observation of the same run that explains this one."""


@dataclass(frozen=True, slots=True)
class Run:
    """The run that saw it."""

    dag_id: str
    run_id: str
    started_at: datetime
    url: str
    runbooks_url: str
    """Where the runbooks are shown; a runbook's name is added to it."""
