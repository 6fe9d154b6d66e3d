"""Who people are in production: Airflow's FAB auth manager, with user names where it would compare its own numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

if TYPE_CHECKING:
    from airflow.providers.fab.auth_manager.models import User


class TributaryAuthManager(FabAuthManager):
    """Required actions are assigned to user names, as `include/config/policy.yaml` has them; FAB's ids are numbers."""

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: User) -> bool:
        """Whether this user is one of those whom a required action was assigned to."""
        return user.username in assigned_users
