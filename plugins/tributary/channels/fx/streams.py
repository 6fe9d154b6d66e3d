"""What exchange rates give Tributary."""

from __future__ import annotations

from datetime import timedelta

from tributary.channels.fx import days
from tributary.channels.fx.api import BUDGET
from tributary.declaration import Channel, Stream

RATES = Stream(
    name="rates",
    changed=days.changed,
    happened=days.happened,
    by_id=days.by_id,
    replay=days.replayed,
    history=days.history,
    cursor="date",
    slice_length=days.SLICE,
    # Nothing says when a rate was corrected.
    look_back=timedelta(days=31),
    sla=timedelta(hours=24),
    budget=BUDGET,
    per_request=days.SLICE.days,
    write="replace_slice",
)

FX = Channel(
    name="fx",
    conn_type="fx",
    hook="tributary.channels.fx.hook.FxHook",
    schedule="@hourly",
    pool="fx",
    streams=(RATES,),
)
