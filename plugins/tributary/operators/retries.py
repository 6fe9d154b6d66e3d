"""Which failed tasks Airflow tries again."""

from __future__ import annotations

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

# Asking again cannot help where a person has to change something first.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule("tributary.http.errors.Fatal", RetryAction.FAIL, reason="the vendor refuses; see the error's remedy"),
        RetryRule("tributary.http.errors.QuotaSpent", RetryAction.FAIL, reason="a later run goes on; see until when"),
        RetryRule("tributary.warehouse.errors.TooManyDeadLetters", RetryAction.FAIL, reason="see ops.dead_letters"),
        *(
            RetryRule(f"tributary.backfill.errors.{error}", RetryAction.FAIL, reason="ask for a new backfill")
            for error in ("Refused", "LeaseLost", "Overtaken", "NotEqual")
        ),
    ]
)
