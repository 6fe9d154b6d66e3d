"""A merchant's vendor as every operator reaches it: the declared hook, over the merchant's connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk._shared.module_loading import import_string

if TYPE_CHECKING:
    from tributary.declaration import Channel


def vendor(channel: Channel, connection: str) -> Any:
    """The channel's API client."""
    return import_string(channel.hook)(connection).get_conn()
