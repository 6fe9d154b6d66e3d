"""What a person does about the ECB's refusals, by HTTP status; all others are asked again."""

from __future__ import annotations

_CHANGED = "The ECB's data API has changed: compare its documentation with BEHAVIOR.md of the channel fx."

STATUS_REMEDIES = {
    400: _CHANGED,
    404: "Either the connection's host is not the ECB's data API, or the ECB cannot find its own series for now: it "
    "happened in May 2025. Nothing was taken for gone; the next run asks again.",
    406: _CHANGED,
}
