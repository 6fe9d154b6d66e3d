"""Who gets the credit of an order: the models of attribution beside DuckDB's ASOF join on the same rows."""
