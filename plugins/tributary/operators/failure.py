"""Failed tasks: which of them left a record of the reason, and which only failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from airflow.sdk.exceptions import AirflowFailException

from tributary.operators.ingest import SyncOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

_RECORDED = "reason_is_recorded"


class Failed(NamedTuple):
    """The failed task instances of a run, by their names."""

    unexplained: list[str]
    syncs: list[str]
    """What a sync failed of stands in ops.syncs, when it came that far."""
    explained: list[str]


def fail_as_recorded(context: Context, reason: str) -> NoReturn:
    """Fail for a reason that was recorded: the report then tells the reason instead of the task."""
    context["ti"].xcom_push(_RECORDED, True)
    raise AirflowFailException(reason)


def failed_tasks(context: Context) -> Failed:
    """What failed in the run so far; a mapped instance is named as `gate_0`."""
    ti, dag, failed = context["ti"], context["dag"], Failed([], [], [])
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    for name in sorted(name for name, state in states.items() if state == "failed"):
        task_id, index = (name, -1) if dag.has_task(name) else _mapped(name)
        if isinstance(dag.get_task(task_id), SyncOperator):
            failed.syncs.append(name)
        elif ti.xcom_pull(task_ids=task_id, key=_RECORDED, map_indexes=index):
            failed.explained.append(name)
        else:
            failed.unexplained.append(name)
    return failed


def _mapped(name: str) -> tuple[str, int]:
    task_id, _, index = name.rpartition("_")
    return task_id, int(index)
