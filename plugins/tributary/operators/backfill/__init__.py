"""The steps of the `backfill` and `rollback_backfill` DAGs: thin operators over `tributary.backfill`."""
