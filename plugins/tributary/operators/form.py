"""The field that every form has which changes something."""

from __future__ import annotations

from airflow.sdk import Param


def reason(description: str) -> Param:
    """Why somebody does it: said in the audit or the thread, so it names nobody's address."""
    return Param(type="string", minLength=10, maxLength=500, pattern="^[^@]*$", title="Reason", description=description)
