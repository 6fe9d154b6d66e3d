"""What a backfill would change, for people who decide about it."""
