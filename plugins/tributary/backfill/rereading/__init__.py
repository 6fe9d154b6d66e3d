"""Reading the past again beside raw, and raw as it will be."""
