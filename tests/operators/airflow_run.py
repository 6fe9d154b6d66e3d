"""A run of a DAG as its last task sees it, without a scheduler: states, XComs and who started it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import DAG


@dataclass
class AirflowRun:
    """One run; a task instance is named as Airflow's API names it, `gate_0` when it is mapped."""

    dag: DAG
    run_id: str
    states: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    xcoms: dict[tuple[str, int, str], Any] = field(default_factory=dict)

    def context(self, task_id: str, map_index: int = -1) -> Any:
        """What Airflow hands to that task."""

        def push(key: str, value: Any) -> None:
            self.xcoms[task_id, map_index, key] = value

        def pull(task_ids: str, key: str, map_indexes: int) -> Any:
            return self.xcoms.get((task_ids, map_indexes, key))

        ti = SimpleNamespace(
            dag_id=self.dag.dag_id,
            map_index=map_index,
            run_id=self.run_id,
            get_task_states=lambda dag_id, run_ids: {self.run_id: dict(self.states)} if self.states else {},
            xcom_push=push,
            xcom_pull=pull,
        )
        dag_run = SimpleNamespace(start_date=self.started_at, triggering_user_name=self.user)
        return {"ti": ti, "dag": self.dag, "run_id": self.run_id, "dag_run": dag_run}
