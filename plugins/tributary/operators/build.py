"""The operators around a build: opening it over a scope, and publishing a merchant's part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from tributary.channels import CHANNELS
from tributary.operators.warehouse import warehouse
from tributary.paths import DBT_MANIFEST
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class OpenBuildOperator(BaseOperator):
    """Claims what changed and opens a build over the days it touches; skips the rest when nothing changed.

    :param schema: The schema to build in.
    :param everything: Whether to build all days of all merchants. (templated)
    :param warehouse_conn_id: The warehouse's connection.
    """

    template_fields: Sequence[str] = ("everything",)

    def __init__(
        self, *, schema: str, everything: bool | str = False, warehouse_conn_id: str = "warehouse", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.schema = schema
        self.everything = everything
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return one entry per merchant of the build, for the mapped tasks that follow."""
        with warehouse(self.warehouse_conn_id) as conn:
            build = open_build(conn, self.schema, CHANNELS, everything=str(self.everything) == "True")
        if build is None:
            raise AirflowSkipException("Nothing changed since the last publication.")
        self.log.info("Build %s: %d merchant days of %s", build.build_id, build.days, ", ".join(build.merchants))
        return [{"merchant_id": merchant_id, "build_id": str(build.build_id)} for merchant_id in build.merchants]


class PublishOperator(BaseOperator):
    """Swaps one merchant's days of every mart into `marts`, in one transaction.

    :param build_id: The build that was gated. (templated)
    :param schema: The schema it was built in.
    :param merchant_id: Whose days to publish. (templated)
    :param warehouse_conn_id: The warehouse's connection.
    """

    template_fields: Sequence[str] = ("build_id", "merchant_id")

    def __init__(
        self, *, build_id: str, schema: str, merchant_id: str, warehouse_conn_id: str = "warehouse", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.build_id = build_id
        self.schema = schema
        self.merchant_id = merchant_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> str:
        """Publish and say what was."""
        with warehouse(self.warehouse_conn_id) as conn:
            publication = publish(conn, self.build_id, self.schema, self.merchant_id, DBT_MANIFEST)
        self.log.info("%s: %s", self.merchant_id, publication)
        if publication.held:
            self.log.warning(
                "%d days of %s wait as they were: a backfill is at work on them (see ops.leases). They stay marked as "
                "changed, and the first run after it publishes them",
                publication.held,
                self.merchant_id,
            )
        return str(publication)
