"""The first person of a production installation: the user `admin`, whose password is ADMIN_PASSWORD.

Everybody else is added by this one. As with the passwords of the databases, the environment is what counts: a changed
one is set anew, and running this again changes nothing. Airflow's own command would want the password as an argument,
where others can see it.
"""

from __future__ import annotations

import os
import sys

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from werkzeug.security import check_password_hash

NAME = "admin"


def ensure_administrator(password: str) -> str:
    """Create the administrator, or set the password, and say which of it was done."""
    with get_application_builder() as builder:
        manager = builder.sm
        user = manager.find_user(NAME)
        if user is None:
            # Nothing is sent to this address; FAB wants one that nobody else has.
            manager.add_user(
                NAME, "Tributary", "Administrator", "admin@localhost", manager.find_role("Admin"), password
            )
            return f"The user {NAME} was created."
        if check_password_hash(user.password, password):
            return f"The user {NAME} is there."
        manager.reset_password(user.id, password)
        return f"The user {NAME} has a new password."


if __name__ == "__main__":
    given = os.environ.get("ADMIN_PASSWORD")
    if not given:
        sys.exit("The environment variable ADMIN_PASSWORD is not set.")
    sys.stdout.write(ensure_administrator(given) + "\n")
