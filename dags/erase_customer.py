"""
### Erase one customer

Takes one person out of a merchant's raw data: identifying values become a mask, names, addresses, telephone numbers and
free text are dropped, and `transform` builds the days of their orders again with a new key that nobody can make from an
e-mail address. Every figure stays as it is. Who did it, when and why is kept for ever in `audit.erasures`.

**The dry run is the default**: it changes nothing and says in the log how many rows of which tables it would mask.

**Erase at the vendors first**: what they still have comes back with its next change, and is masked again every night.

The form takes the `customer_key` of the marts, which says nothing about anybody. **Never type a name, an e-mail address
or a telephone number**: Airflow keeps what the form was filled with. `docs/runbooks/erase-a-customer.md` shows how to
find the key.

**Do not use it** to correct a record (correct it in the shop, and the next sync brings it), to delete a merchant, or to
take figures away: a sale stays a sale. It cannot be undone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, Param, task

from tributary.channels import CHANNELS
from tributary.operators.form import reason
from tributary.operators.personal import EraseCustomerOperator
from tributary.paths import MERCHANTS
from tributary.warehouse.settings.merchants import load_merchants

ERASED = "customer_erased"

with DAG(
    dag_id="erase_customer",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["operate"],
    params={
        "merchant_id": Param(
            type="string", enum=[merchant.merchant_id for merchant in load_merchants(MERCHANTS)], title="Merchant"
        ),
        "customer_key": Param(
            type="string",
            pattern="^[0-9a-f]{64}$",
            title="Customer key",
            description="The customer_key of the marts: 64 characters. Not an e-mail address.",
        ),
        "reason": reason("At least 10 characters, kept for ever: a ticket's number, say. Nobody's name."),
        "dry_run": Param(True, type="boolean", title="Dry run", description="Only say how many rows would be masked."),
    },
    default_args={"owner": "data", "retries": 1, "retry_delay": timedelta(seconds=30)},
):
    erase = EraseCustomerOperator(
        task_id="erase",
        merchant_id="{{ params.merchant_id }}",
        customer_key="{{ params.customer_key }}",
        reason="{{ params.reason }}",
        is_dry_run="{{ params.dry_run }}",
    )

    @task(outlets=[AssetAlias(ERASED)])
    def announce(params: dict[str, Any], outlet_events: Any) -> None:
        """Tell `transform` that raw has news, unless this was a dry run."""
        if not params["dry_run"]:
            outlet_events[AssetAlias(ERASED)].add(Asset(f"raw_{CHANNELS[0].name}"))

    erase >> announce()
