"""The gate: Soda contracts per merchant, and what becomes of their results."""
