"""The fields that can be asked for, what each of them holds, and how it is told as JSON."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from sandbox.google_ads.refusals import query_error

CUSTOMER_STATUS = ("UNSPECIFIED", "UNKNOWN", "ENABLED", "CANCELED", "SUSPENDED", "CLOSED")
ENUMS = {
    "campaign.status": ("UNSPECIFIED", "UNKNOWN", "ENABLED", "PAUSED", "REMOVED"),
    "campaign.advertising_channel_type": (
        "UNSPECIFIED", "UNKNOWN", "SEARCH", "DISPLAY", "SHOPPING", "HOTEL", "VIDEO", "MULTI_CHANNEL", "LOCAL", "SMART",
        "PERFORMANCE_MAX", "LOCAL_SERVICES", "TRAVEL", "DEMAND_GEN",
    ),
    "customer.status": CUSTOMER_STATUS,
    "customer_client.status": CUSTOMER_STATUS,
}  # fmt: skip
FIELDS = {
    "campaign.resource_name": "STRING",
    "campaign.id": "INT64",
    "campaign.name": "STRING",
    "campaign.status": "ENUM",
    "campaign.advertising_channel_type": "ENUM",
    "customer.resource_name": "STRING",
    "customer.id": "INT64",
    "customer.descriptive_name": "STRING",
    "customer.currency_code": "STRING",
    "customer.time_zone": "STRING",
    "customer.manager": "BOOLEAN",
    "customer.status": "ENUM",
    "customer_client.resource_name": "STRING",
    "customer_client.client_customer": "STRING",
    "customer_client.id": "INT64",
    "customer_client.descriptive_name": "STRING",
    "customer_client.currency_code": "STRING",
    "customer_client.time_zone": "STRING",
    "customer_client.manager": "BOOLEAN",
    "customer_client.level": "INT64",
    "customer_client.status": "ENUM",
    "segments.date": "DATE",
    "metrics.cost_micros": "INT64",
    "metrics.clicks": "INT64",
    "metrics.impressions": "INT64",
    "metrics.conversions": "DOUBLE",
    "metrics.conversions_value": "DOUBLE",
}
"""The field -> the type of its values."""
RESOURCES = {
    "campaign": ("campaign", "customer", "segments", "metrics"),
    "customer": ("customer", "segments", "metrics"),
    "customer_client": ("customer_client", "customer"),
}
"""What can stand after FROM -> whose fields go with it."""
DATE = "segments.date"


def check(names: list[str], resource: str, clause: str) -> None:
    """Refuse fields that there are not, and fields that do not go with the resource."""
    if unknown := sorted({name for name in names if name not in FIELDS}):
        listed = ", ".join(f"'{name}'" for name in unknown)
        words = "fields" if len(unknown) > 1 else "field"
        raise query_error("UNRECOGNIZED_FIELD", f"Unrecognized {words} in the query: {listed}.")
    for name in names:
        of = name.split(".")[0]
        if of in RESOURCES[resource]:
            continue
        if of in ("metrics", "segments"):
            kind = of.upper().rstrip("S")
            says = f"Cannot select or filter on the following {of}: '{name.split('.')[1]}', since the {of} is"
            raise query_error(
                f"PROHIBITED_{kind}_IN_SELECT_OR_WHERE_CLAUSE", f"{says} incompatible with the resource in FROM clause."
            )
        raise query_error(
            f"PROHIBITED_RESOURCE_TYPE_IN_{clause}_CLAUSE",
            f"Cannot use fields from the following resources in {clause}: '{of.upper()}', since the resource is"
            " incompatible with the resource in FROM clause.",
        )


def value(name: str, written: str, operator: str) -> Any:
    """What a condition compares the field with."""
    kind = FIELDS[name]
    if kind == "DATE":
        try:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", written):
                raise ValueError
            return date.fromisoformat(written)
        except ValueError:
            reason = "INVALID_VALUE_WITH_BETWEEN_OPERATOR" if operator == "BETWEEN" else "INVALID_DATE_FORMAT"
            raise query_error(reason, f"Invalid date format '{written}'. Expected 'YYYY-MM-DD'.") from None
    if kind == "ENUM" and written not in ENUMS[name]:
        raise query_error("BAD_ENUM_CONSTANT", f"Invalid enum value cannot be included in WHERE clause: '{written}'.")
    if kind == "BOOLEAN":
        if written.upper() not in ("TRUE", "FALSE"):
            raise query_error("BAD_VALUE", f"Error in WHERE clause: invalid value {written}.")
        return written.upper() == "TRUE"
    try:
        return {"INT64": int, "DOUBLE": float}.get(kind, str)(written)
    except ValueError:
        raise query_error("BAD_NUMBER", f"Error in WHERE clause: invalid number {written}.") from None


def told(name: str, found: Any) -> Any:
    """A value as the JSON form of Google's messages has it."""
    if FIELDS[name] == "INT64":
        return str(found)
    return found.isoformat() if FIELDS[name] == "DATE" else found


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)
