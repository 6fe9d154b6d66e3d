"""Bulk operations: queries that run by themselves and leave their answer in a file.

An operation gets on when somebody looks: every read of bulk operations, and every start refused because too many run,
takes each operation of the shop one step further. The query runs at the first step, and the file holds what it saw
then. A `Plan` makes the next operations take longer or end badly. Inferred, not published: how counts grow while it
runs, that an empty answer has `fileSize` "0" and no `url`, that a missing scope fails the operation and not its start,
and the words about the limit. Operations live as long as the process.
"""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import weakref
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sandbox.clock import iso
from sandbox.shopify.bulk_query import BulkQuery, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.shopify.access import Grant
    from sandbox.shopify.search import Search

URL_LIFE = timedelta(days=7)
LIMIT = 5
UNFINISHED = ("CREATED", "RUNNING", "CANCELING")
OUTCOMES = ("COMPLETED", "FAILED", "EXPIRED", "CANCELED")
ERROR_CODES = ("ACCESS_DENIED", "INTERNAL_SERVER_ERROR", "TIMEOUT")


class BulkFailedError(Exception):
    """The query could not be run to its end."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Runner(Protocol):
    """Runs a bulk query on the shop as it stands now: its top-level objects, some at a time."""

    def __call__(self, query: BulkQuery, grant: Grant) -> Iterator[list[dict[str, Any]]]: ...


@dataclass(slots=True)
class Plan:
    """How the next operation goes."""

    polls: int = 1
    """How many reads find it unfinished."""
    outcome: str = "COMPLETED"
    error_code: str = "INTERNAL_SERVER_ERROR"
    partial: int | None = None
    """How many objects are in the partial file of an operation that fails or is cancelled; none: there is no file."""

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"a bulk operation does not end as {self.outcome!r}; it ends as one of {OUTCOMES}")
        if self.error_code not in ERROR_CODES:
            raise ValueError(f"there is no bulk error {self.error_code!r}; there are {ERROR_CODES}")


@dataclass(slots=True)
class Operation:
    """One bulk query and how far it is."""

    id: int
    text: str
    query: BulkQuery
    group: bool
    grant: Grant
    plan: Plan
    created_at: datetime
    file: Path
    status: str = "CREATED"
    steps: int = 0
    completed_at: datetime | None = None
    ended_at: datetime | None = None
    error_code: str | None = None
    reason: str | None = None
    objects: int = 0
    roots: int = 0
    signature: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def name(self) -> str:
        return f"bulk-{self.id}.jsonl"

    def step(self, now: datetime, run: Runner) -> None:
        """Get on by one step: run at the first, end once the plan's polls are over, expire a week later."""
        if self.status == "CREATED":
            self.status = "RUNNING"
            self._write(run)
        if self.status == "RUNNING" and self.steps >= self.plan.polls:
            self._end(self.plan.outcome, now)
        elif self.status == "CANCELING" and self.steps >= self.plan.polls:
            self._end("CANCELED", now)
        elif self.status == "COMPLETED" and self.ended_at is not None and now >= self.ended_at + URL_LIFE:
            self.status = "EXPIRED"
        self.steps += 1

    def cancel(self) -> None:
        self.status, self.steps = "CANCELING", 0

    def _write(self, run: Runner) -> None:
        cut = self.plan.partial if self.plan.outcome in ("FAILED", "CANCELED") else None
        try:
            with self.file.open("w") as out:
                for row, is_root in lines(run(self.query, self.grant), self.query.connection, self.group):
                    if self.objects == cut:
                        break
                    out.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n")
                    self.objects += 1
                    self.roots += is_root
        except BulkFailedError as failure:
            self.plan = Plan(self.plan.polls, "FAILED", failure.code)
            self.reason = str(failure)

    def _end(self, outcome: str, now: datetime) -> None:
        self.status, self.ended_at = outcome, now
        if outcome == "COMPLETED":
            self.completed_at = now
        elif outcome == "FAILED":
            self.error_code = self.plan.error_code

    @property
    def has_result(self) -> bool:
        return self.status == "COMPLETED" and self.objects > 0

    @property
    def has_part(self) -> bool:
        return self.status in ("FAILED", "CANCELED") and bool(self.plan.partial) and self.objects > 0

    def expires_at(self) -> datetime | None:
        return self.ended_at + URL_LIFE if self.ended_at else None

    def view(self, storage: str) -> dict[str, Any]:
        """The operation as the Admin API's object; `storage` is where its file is served."""
        expires_at = self.expires_at()
        url = f"{storage}/{self.name}?Expires={iso(expires_at)}&Signature={self.signature}" if expires_at else None
        done = self.objects if self.ended_at else self.objects * self.steps // (self.plan.polls + 2)
        roots = self.roots if self.ended_at else self.roots * self.steps // (self.plan.polls + 2)
        return {
            "__typename": "BulkOperation",
            "id": f"gid://shopify/BulkOperation/{self.id}",
            "status": self.status,
            "type": "QUERY",
            "query": self.text,
            "createdAt": iso(self.created_at),
            "completedAt": iso(self.completed_at) if self.completed_at else None,
            "errorCode": self.error_code,
            "objectCount": str(done),
            "rootObjectCount": str(roots),
            "fileSize": str(self.file.stat().st_size) if self.status == "COMPLETED" else None,
            "url": url if self.has_result else None,
            "partialDataUrl": url if self.has_part else None,
        }


class BulkOperations:
    """The bulk operations of one app at one shop."""

    def __init__(self, first_id: int) -> None:
        self._next_id = first_id
        self.operations: dict[int, Operation] = {}
        self.plans: list[Plan] = []
        self.limit = LIMIT

    @cached_property
    def _folder(self) -> Path:
        folder = tempfile.mkdtemp(prefix="sandbox-bulk-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def start(self, text: str, query: BulkQuery, group: bool, grant: Grant, now: datetime) -> Operation:
        plan = self.plans.pop(0) if self.plans else Plan()
        self._next_id += 1
        file = self._folder / f"{self._next_id}.jsonl"
        operation = Operation(self._next_id, text, query, group, grant, plan, now, file)
        self.operations[operation.id] = operation
        return operation

    def busy(self) -> dict[str, Any] | None:
        """The user error of one operation too many."""
        unfinished = [operation for operation in self.operations.values() if operation.status in UNFINISHED]
        if len(unfinished) < self.limit:
            return None
        if self.limit == 1:
            message = (
                "A bulk query operation for this app and shop is already in progress: "
                f"gid://shopify/BulkOperation/{unfinished[0].id}."
            )
            return {"field": None, "message": message, "code": "OPERATION_IN_PROGRESS"}
        message = "Bulk operations limit reached. Please try again later."
        return {"field": None, "message": message, "code": "LIMIT_REACHED"}

    def get_on(self, now: datetime, run: Runner) -> None:
        """One step for every operation."""
        for operation in self.operations.values():
            operation.step(now, run)

    def found(self, query: Search, sort: str) -> list[tuple[Any, int]]:
        """The operations that a search finds, oldest first."""
        found = [operation for operation in self.operations.values() if query.accepts(operation)]
        return sorted((str(getattr(operation, sort) or ""), operation.id) for operation in found)
