"""What every step of a backfill does beside its work: it notes that it came to it, why it failed, and lets people know.

A step that is killed notes nothing: the last task, `close`, then says in which one it was.
"""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager, suppress
from textwrap import wrap
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import psycopg
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tributary.backfill.state import enter, identify
from tributary.operators.messengers import SLACK, slack
from tributary.operators.warehouse import warehouse
from tributary.warehouse.ledger import describe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from airflow.sdk import Context
    from psycopg import Connection

    from tributary.backfill.state import Backfill, Status

log = logging.getLogger(__name__)

# The first error stays: what failed after it failed because of it. A step's own is forgotten when it is tried again.
_FORGET = "update ops.backfills set error = null where backfill_id = %s and starts_with(error, %s)"
_KEEP = """
update ops.backfills set error = %s
where backfill_id = %s and error is null and status in ('running', 'waiting')
"""


class BackfillOperator(BaseOperator):
    """One step of a backfill or of a rollback.

    :param slack_conn_id: The Slack connection.
    :param warehouse_conn_id: The warehouse's connection.
    """

    step: ClassVar[str]
    """What people call it; its row in ops.backfills and its failpoints do, too."""
    outcome: ClassVar[Status | None] = None
    """What it makes of the backfill: repeated after that, it finds its work done."""

    def __init__(self, *, slack_conn_id: str = SLACK, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slack_conn_id = slack_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    @contextmanager
    def entered(self, context: Context, about: str = "") -> Iterator[tuple[Connection, Backfill]]:
        """The backfill at this step, over a connection on which every statement stands for itself.

        :param about: Which one it is of several at once, as a merchant.
        """
        backfill_id = identify_run(context)
        name = f"{self.step} {about}".strip()
        try:
            with closing(warehouse(self.warehouse_conn_id)) as conn:
                conn.autocommit = True
                backfill = enter(conn, backfill_id, self.step)
                if backfill.is_over and backfill.status != self.outcome:
                    again = "Trigger a new run instead of clearing a task of this one."
                    raise AirflowFailException(f"Backfill {backfill.short} is over ({backfill.status}). {again}")
                conn.execute(_FORGET, (backfill_id, f"{name}: "))
                self.tell(conn, backfill_id)
                yield conn, backfill
                self.tell(conn, backfill_id)
        except AirflowSkipException:
            raise
        except Exception as error:
            self._keep(backfill_id, f"{name}: {_words(error)}")
            raise

    def tell(self, conn: Connection, backfill_id: UUID) -> None:
        """Bring the thread in Slack up to date."""
        _tell(conn, backfill_id, self.slack_conn_id)

    def _keep(self, backfill_id: UUID, error: str) -> None:
        try:
            with warehouse(self.warehouse_conn_id) as conn:
                conn.execute(_KEEP, (error, backfill_id))
                conn.commit()
                self.tell(conn, backfill_id)
        except (psycopg.Error, LookupError) as unkept:
            self.log.warning("Why it failed is not kept: %s", describe(unkept))


def refuse(error: Exception) -> NoReturn:
    """Fail for good; in the log the reason stands in lines that can be read without scrolling."""
    for line in wrap(str(error), 100):
        log.error("%s", line)
    raise AirflowFailException(str(error)) from None


def identify_run(context: Context) -> UUID:
    """The backfill that this run is about."""
    return identify(context["ti"].dag_id, context["ti"].run_id)


def tell_refusal(context: Context) -> None:
    """The callback of a request that failed: refused attempts are told, too; what was not recorded cannot be."""
    with closing(warehouse("warehouse")) as conn, suppress(LookupError):
        conn.autocommit = True
        _tell(conn, identify_run(context), SLACK)


def _tell(conn: Connection, backfill_id: UUID, slack_conn_id: str) -> None:
    """What Slack does not take is sent by a later task."""
    from tributary.backfill import story
    from tributary.notify.outbox import deliver

    story.tell(conn, backfill_id)
    for why in deliver(conn, slack(slack_conn_id), None).errors:
        log.warning("Not sent, which a later run does: %s", why)


def _words(error: Exception) -> str:
    """What a person needs of an error: of ours its sentence, of another its kind too."""
    from tributary.backfill.errors import LeaseLost, NotEqual, Overtaken, Refused

    if isinstance(error, (AirflowFailException, LeaseLost, NotEqual, Overtaken, Refused)):
        return describe(error).partition(": ")[2]
    return describe(error)
